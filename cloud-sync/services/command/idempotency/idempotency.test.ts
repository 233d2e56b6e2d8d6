import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { EdgeError } from "../../../../edge/kernel/errors.ts";
import { type Client, TestOffice } from "../../../../test/support/office.ts";
import type { EventStore, StoredDocument } from "../../../store/event-store.ts";
import { metadataPartition } from "../../../store/metadata-document.ts";
import { createCommandService } from "../service.ts";
import { sweepKeys } from "./sweep.ts";

// Goal: a request under a key is carried out once, and answered alike, whatever breaks in between.
// Method: the real store; commits are made to fail before or after they are done, as when the process or the line is gone.

const DAY_MS = 86_400_000;
const signal = new AbortController().signal;
/** What becomes of the next commits, one after the other. */
let faults: ("lost before" | "lost after" | "none")[] = [];

function breakable(store: EventStore): EventStore {
  const gone = (): EdgeError => new EdgeError("STORE_UNAVAILABLE", "the line is gone");
  return {
    name: store.name,
    ensure: (ending) => store.ensure(ending),
    get: (...asked) => store.get(...asked),
    range: (...asked) => store.range(...asked),
    feedRanges: (...asked) => store.feedRanges(...asked),
    changes: (...asked) => store.changes(...asked),
    charges: () => store.charges(),
    commit: async (...asked) => {
      const fault = faults.shift() ?? "none";
      if (fault === "lost before") throw gone();
      const results = await store.commit(...asked);
      if (fault === "lost after") throw gone();
      return results;
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

let office: TestOffice;
let anna: Client;
beforeAll(async () => {
  office = await TestOffice.start({ around: breakable });
  anna = await office.person("Anna", "administrator");
  await anna.send("POST", "/api/command/factory", { id: "redmond", data: { name: "Redmond", location: {} } });
});
afterAll(() => office[Symbol.asyncDispose]());
beforeEach(() => {
  faults = [];
});

const note = (text: string, key: string, client = anna) =>
  client.send("POST", "/api/command/note", { data: { factoryId: "redmond", text } }, { "idempotency-key": key });
const eventsOf = async (kind: "note" | "machine", id: string): Promise<readonly StoredDocument[]> =>
  office.store.range(
    "metadata",
    metadataPartition(kind, id),
    { afterId: "event-", toId: "event-~", limit: 100 },
    signal,
  );

test("a request that comes again gets the first answer, whatever became of the entity since", async () => {
  const first = await note("once", "k1");
  expect(first.status).toBe(201);
  const path = `/api/command/note/${first.body.id}`;
  const changed = await anna.send(
    "PUT",
    path,
    { data: { factoryId: "redmond", text: "changed" } },
    { "if-match": '"v1"', "idempotency-key": "k2" },
  );
  expect(changed.body.version).toBe(2);
  const again = await note("once", "k1");
  expect([again.status, again.body, again.headers.get("etag")]).toEqual([201, first.body, '"v1"']);
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(first.headers.get("idempotency-replayed")).toBeNull();
  // The change as well, though its If-Match is too old by now.
  const changedAgain = await anna.send(
    "PUT",
    path,
    { data: { text: "changed", factoryId: "redmond" } },
    { "if-match": '"v1"', "idempotency-key": "k2" },
  );
  expect([changedAgain.status, changedAgain.body]).toEqual([200, changed.body]);
  expect(await eventsOf("note", first.body.id)).toHaveLength(2);
});

test("sent twenty times at once it is done once", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => note("at once", "k3")));
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await eventsOf("note", answers[0]?.body.id)).toHaveLength(1);
});

test.each<[string, (typeof faults)[number][]]>([
  ["before the claim", ["lost before"]],
  ["after the claim", ["lost after"]],
  ["before the change", ["none", "lost before"]],
  ["after the change", ["none", "lost after"]],
  ["twice", ["lost after", "lost before"]],
])("a line that is lost %s", async (what, broken) => {
  faults = broken;
  const lost = await note("after a crash", `k4 ${what}`.replaceAll(" ", "-"));
  expect(lost.status).toBe(503);
  expect(lost.headers.get("retry-after")).toBe("5");
  let again = await note("after a crash", `k4 ${what}`.replaceAll(" ", "-"));
  if (again.status === 503) again = await note("after a crash", `k4 ${what}`.replaceAll(" ", "-"));
  expect(again.status).toBe(201);
  expect(await eventsOf("note", again.body.id)).toHaveLength(1);
});

test("a key is for one request of one person", async () => {
  expect((await note("mine", "k5")).status).toBe(201);
  expect((await note("another", "k5")).body.error).toBe("KEY_REUSED");
  // About another entity, of which the first knows nothing.
  const machine = await anna.send(
    "POST",
    "/api/command/machine",
    { id: "redmond/m", data: { factoryId: "redmond" } },
    { "idempotency-key": "k5" },
  );
  expect(machine.status).toBe(422);
  expect((await anna.get("/api/command/machine/redmond%2Fm")).status).toBe(404);
  // Nor when both come at once.
  const pairs = await Promise.all(
    Array.from({ length: 10 }, (_, pair) =>
      Promise.all(
        ["left", "right"].map((side) =>
          anna.send(
            "POST",
            "/api/command/machine",
            { id: `redmond/${pair}-${side}`, data: { factoryId: "redmond" } },
            { "idempotency-key": `k5-${pair}` },
          ),
        ),
      ),
    ),
  );
  for (const pair of pairs) expect(pair.map(({ status }) => status).sort()).toEqual([201, 422]);
  const otto = await office.person("Otto", "operator");
  expect((await note("mine", "k5", otto)).body.createdBy).toBe("Otto");
});

test("what was refused may be sent again, mended", async () => {
  const put = (version: number) =>
    anna.send(
      "PUT",
      "/api/command/factory/redmond",
      { data: { name: "Redmond 2", location: {} } },
      { "if-match": `"v${version}"`, "idempotency-key": "k6" },
    );
  expect((await put(9)).status).toBe(412);
  expect((await put(1)).status).toBe(200);
});

test("keys are no part of what readers of the feed get", async () => {
  const found: string[] = [];
  for (const range of await office.store.feedRanges("metadata", signal)) {
    let continuation: string | undefined;
    for (;;) {
      const page = await office.store.changes("metadata", range, continuation, 100, signal);
      found.push(...page.documents.map(({ kind }) => kind));
      continuation = page.continuation;
      if (!page.hasMore) break;
    }
  }
  expect(found.length).toBeGreaterThan(10);
  expect(new Set(found)).toEqual(new Set(["state", "event"]));
});

test("keys end after a day, and are swept", async () => {
  const made = await anna.send(
    "POST",
    "/api/command/machine",
    { id: "redmond/swept", data: { factoryId: "redmond" } },
    { "idempotency-key": "k7" },
  );
  const partition = metadataPartition("machine", made.body.id);
  const keysOf = async () =>
    (await office.store.range("metadata", partition, { limit: 100 }, signal)).filter(({ kind }) => kind === "key");
  expect(await keysOf()).toHaveLength(1);
  await office.clock.advance(DAY_MS + 1);
  anna = await office.person("Anna II", "administrator");
  expect(await sweepKeys(office.store, office.clock.nowMs(), signal)).toBe(0);
  await office.clock.advance(DAY_MS);
  // A service that starts sweeps, and again every hour.
  const service = createCommandService(office);
  await service.ready();
  await expect.poll(keysOf, { timeout: 10_000 }).toEqual([]);
  await service.close();
  // The office sweeps, too: one of them may still be at it.
  await expect.poll(() => sweepKeys(office.store, office.clock.nowMs(), signal), { timeout: 10_000 }).toBe(0);
});
