import { pino } from "pino";
import { expect, test } from "vitest";
import { sweepKeys } from "../../cloud-sync/services/command/idempotency/sweep.ts";
import { seedMetadata } from "../../cloud-sync/services/command/seed/seed-metadata.ts";
import { createCosmosEventStore } from "../../cloud-sync/store/cosmos/cosmos-event-store.ts";
import { metadataPartition } from "../../cloud-sync/store/metadata-document.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { startCosmosPeer } from "../support/cosmos-peer/cosmos-peer.ts";
import { TestOffice } from "../support/office.ts";

// The command service asks of a store what both stores can: the same changes, by Microsoft's SDK.

const DAY_MS = 86_400_000;

test("changes, races and repeated requests over Cosmos DB's SDK", async () => {
  const signal = new AbortController().signal;
  await using peer = await startCosmosPeer();
  await using store = createCosmosEventStore({
    endpoint: peer.endpoint,
    key: peer.key,
    database: "commands",
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  await store.ensure(signal);
  await using office = await TestOffice.start({ around: () => store });
  const made = await Promise.all([1, 2, 3].map(() => seedMetadata({ store, clock: systemClock, signal })));
  expect(made.reduce((sum, count) => sum + count, 0)).toBe(11);
  const anna = await office.person("Anna", "administrator");
  const id = "redmond/a b%2F?#\\\"'机器🛠";
  const path = `/api/command/machine/${encodeURIComponent(id)}`;
  const create = () =>
    anna.send("POST", "/api/command/machine", { id, data: { factoryId: "redmond" } }, { "idempotency-key": "k1" });
  const answers = await Promise.all(Array.from({ length: 8 }, create));
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(201));
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  const updates = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      anna.send("PUT", path, { data: { factoryId: "redmond", name: `n${index}` } }, { "if-match": '"v1"' }),
    ),
  );
  expect(updates.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
  const [state] = await store.get("metadata", [{ partition: metadataPartition("machine", id), id: "state" }], signal);
  const removed = await anna.send("DELETE", path, undefined, { "if-match": state?.etag ?? "" });
  expect(removed.body).toMatchObject({ version: 3, deleted: true });
  expect((await anna.get(path)).body).toEqual(removed.body);
  expect(await sweepKeys(store, office.clock.nowMs() + 2 * DAY_MS, signal)).toBe(1);
  const left = await store.range("metadata", metadataPartition("machine", id), { limit: 100 }, signal);
  expect(left.map(({ kind }) => kind).sort()).toEqual(["event", "event", "event", "state"]);
});
