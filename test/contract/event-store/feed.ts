import { expect, test } from "vitest";
import type { Partition, StoredDocument } from "../../../cloud-sync/store/event-store.ts";
import { followed, type Reader } from "../feed-reader.ts";
import { manyWriters } from "./many-writers.ts";
import { fresh, NEVER, note, type StoreInTest } from "./store-in-test.ts";

/** The feed of changes, beside writers too. */
export function testFeed(t: StoreInTest): void {
  const isOf =
    (...partitions: readonly Partition[]) =>
    ({ partition }: StoredDocument): boolean =>
      partitions.some(({ stream, part }) => stream === partition.stream && part === partition.part);

  test("its ranges together give every document, each from one of them", async () => {
    const partitions = Array.from({ length: 24 }, () => fresh());
    for (const partition of partitions) await t.create(partition, note("a", partition.stream));
    const { documents, ranges } = await followed(t.store, "telemetry");
    const found = documents.filter(isOf(...partitions));
    expect(found.map(({ fields }) => fields.text).sort()).toEqual(partitions.map(({ stream }) => stream).sort());
    expect(ranges.length).toBeGreaterThan(0);
    expect(await t.store.feedRanges("telemetry", NEVER)).toEqual(ranges);
  });

  test("a document comes with its newest version only, and in the order of the last writes of its partition", async () => {
    const partition = fresh();
    await t.create(partition, note("a", "1"), note("b", "1"));
    await t.create(partition, note("c", "1", { ttl: "never" }));
    await t.one({ partition, operations: [{ op: "upsert", document: note("a", "2") }] });
    await t.create(partition, note("d", "1"));
    await t.one({ partition, operations: [{ op: "upsert", document: note("b", "2") }] });
    await t.one({ partition, operations: [{ op: "remove", id: "d" }] });
    const documents = (await followed(t.store, "telemetry")).documents.filter(isOf(partition));
    expect(documents.map(({ id, fields }) => `${id}${fields.text}`)).toEqual(["c1", "a2", "b2"]);
    expect(documents.map(({ etag }) => etag)).toEqual(
      await Promise.all(["c", "a", "b"].map((id) => t.etagOf(partition, id))),
    );
  });

  test("a reader gets what came since; a replaced document comes again; bookkeeping never comes", async () => {
    const partition = fresh();
    await t.create(partition, note("a", "1"), note("hidden", "", { inFeed: false }));
    const first = await followed(t.store, "telemetry");
    expect((await followed(t.store, "telemetry", first.reader)).documents).toEqual([]);
    await t.create(partition, note("b", "1"));
    await t.one({ partition, operations: [{ op: "upsert", document: note("hidden", "2", { inFeed: false }) }] });
    await t.one({ partition, operations: [{ op: "upsert", document: note("a", "2") }] });
    const second = await followed(t.store, "telemetry", first.reader);
    expect(second.documents.map(({ id, fields }) => `${id}${fields.text}`)).toEqual(["b1", "a2"]);
  });

  test("a continuation is good in another client too, and stays where it is when there is nothing", async () => {
    const partition = fresh();
    await t.create(partition, note("a"));
    const { reader } = await followed(t.store, "telemetry");
    await t.create(partition, note("b"));
    const other = await t.opened.reopen();
    const stored: Reader = new Map(JSON.parse(JSON.stringify([...reader])));
    const after = await followed(other, "telemetry", stored);
    expect(after.documents.map(({ id }) => id)).toEqual(["b"]);
    for (const range of await other.feedRanges("telemetry", NEVER)) {
      const continuation = after.reader.get(range);
      const page = await other.changes("telemetry", range, continuation, 10, NEVER);
      expect(page).toEqual({ documents: [], continuation, hasMore: false });
    }
    await other[Symbol.asyncDispose]();
  });

  test("pages hold about as many as were asked for, and say whether there is more", async () => {
    const partition = fresh();
    const before = (await followed(t.store, "telemetry")).reader;
    for (let i = 0; i < 12; i++) await t.create(partition, note(`n-${String(i).padStart(2, "0")}`));
    const { documents, pages } = await followed(t.store, "telemetry", before, 5);
    expect(documents.map(({ id }) => id)).toEqual(await t.idsOf(partition));
    const filled = pages.filter((page) => page.documents.length > 0);
    expect(filled.length).toBeGreaterThanOrEqual(2);
    for (const page of filled) expect(page.documents.length).toBeLessThanOrEqual(8);
    expect(filled.map(({ hasMore }) => hasMore).slice(0, -1)).not.toContain(false);
    expect(pages.at(-1)?.hasMore).toBe(false);
  });

  test("bodies come with it, and what is not the container's does not", async () => {
    const partition = fresh();
    const before = (await followed(t.store, "scored_telemetry")).reader;
    const document = note("a", "scored", { body: Buffer.from([0, 255, 13, 10, 0]) });
    await t.store.commit("scored_telemetry", [{ partition, operations: [{ op: "create", document }] }], NEVER);
    await t.create(partition, note("b"));
    const { documents } = await followed(t.store, "scored_telemetry", before);
    expect(documents.map(({ id, body }) => [id, [...(body ?? [])]])).toEqual([["a", [0, 255, 13, 10, 0]]]);
  });

  test("a reader beside six writers misses nothing and sees each partition in its order", async () => {
    await manyWriters(t.opened, 6, 1_000);
  });
}
