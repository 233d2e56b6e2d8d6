import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { PostgresCheckpointStore } from "./checkpoint-store.ts";

let server: TestDatabase;
beforeAll(async () => {
  server = await testDatabase();
});
afterAll(() => server[Symbol.asyncDispose]());

const place = { fullyQualifiedNamespace: "localhost", eventHubName: "hub", consumerGroup: "$Default" };
const claimOf = (partitionId: string, ownerId: string, etag?: string) => ({
  ...place,
  partitionId,
  ownerId,
  ...(etag === undefined ? {} : { etag }),
});
const storeOf = (hubKey = "first") =>
  new PostgresCheckpointStore({ database: server.database, clock: systemClock, hubKey });

test("of workers that claim a partition at once, one gets it, whether it had an owner or not", async () => {
  const store = storeOf();
  const names = ["a", "b", "c", "d"];
  const first = await Promise.all(names.map((name) => store.claimOwnership([claimOf("0", name)])));
  expect(first.flat()).toHaveLength(1);
  const [seen] = await store.listOwnership("localhost", "hub", "$Default");
  expect(seen?.ownerId).toBe(first.flat()[0]?.ownerId);
  const again = await Promise.all(names.map((name) => store.claimOwnership([claimOf("0", name, seen?.etag)])));
  expect(again.flat()).toHaveLength(1);
  expect(await store.claimOwnership([claimOf("0", "late", seen?.etag)])).toEqual([]);
  const [owned] = await store.listOwnership("localhost", "hub", "$Default");
  expect(owned).toMatchObject({ partitionId: "0", ownerId: again.flat()[0]?.ownerId, etag: again.flat()[0]?.etag });
  expect(Math.abs((owned?.lastModifiedTimeInMs ?? 0) - Date.now())).toBeLessThan(2_000);
  expect(await store.listOwnership("localhost", "hub", "another")).toEqual([]);
});

test("a checkpoint never goes back, and is none of a hub that was made anew", async () => {
  const store = storeOf();
  const at = (sequenceNumber: number) => ({ ...place, partitionId: "3", offset: `o${sequenceNumber}`, sequenceNumber });
  const list = (of = store) => of.listCheckpoints("localhost", "hub", "$Default");
  await store.updateCheckpoint(at(20));
  await store.updateCheckpoint(at(12));
  expect(await list()).toEqual([at(20)]);
  const other = storeOf("second");
  expect(await list(other)).toEqual([]);
  await other.updateCheckpoint(at(2));
  expect(await list(other)).toEqual([at(2)]);
  expect(await list()).toEqual([]);
  await other.forget({ ...place, partitionId: "3" });
  expect(await list(other)).toEqual([]);
});
