import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CONTAINERS,
  type CommitResult,
  type Container,
  DOCUMENT_BYTES_MAX,
  type EventStore,
  type NewDocument,
  OPERATIONS_MAX,
  type Partition,
  type StoredDocument,
} from "../../cloud-sync/store/event-store.ts";
import { followed, type Reader } from "./feed-reader.ts";

/** One store with a place of its own, as the suite opens it. */
export interface OpenedStore extends AsyncDisposable {
  readonly store: EventStore;
  /** Another client of the same place, as another process would have it. */
  reopen(): Promise<EventStore>;
}

const NEVER = new AbortController().signal;
const ODD_NAMES = [
  "plain",
  "redmond/mill-07",
  "it's",
  'the "big" one',
  "100%",
  "%2F",
  "a\\b",
  "#7",
  "why?",
  "a;DROP TABLE x",
  "mühle 🏭",
  " leading and trailing ",
  "line\nbreak\ttab",
  "x".repeat(512),
  "鋼".repeat(256),
];
let streams = 0;

/** A partition that no other test has. */
function fresh(part = "p"): Partition {
  return { stream: `stream-${++streams}`, part };
}

function note(id: string, text = id, more: Partial<NewDocument> = {}): NewDocument {
  return { id, kind: "note", fields: { text }, ...more };
}

/**
 * What event-store.ts promises, as tests. Streams of different tests differ, so one store serves them all.
 * @param open makes what is missing (ensure) and gives an empty store
 */
export function eventStoreContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`event store: ${name}`, () => {
    let opened: OpenedStore;
    let store: EventStore;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    const create = (partition: Partition, ...documents: NewDocument[]): Promise<CommitResult> =>
      one({ partition, operations: documents.map((document) => ({ op: "create", document })) });
    const one = async (transaction: Parameters<EventStore["commit"]>[1][number]): Promise<CommitResult> =>
      (await store.commit("telemetry", [transaction], NEVER))[0] as CommitResult;
    const read = async (partition: Partition, id: string): Promise<StoredDocument | undefined> =>
      (await store.get("telemetry", [{ partition, id }], NEVER))[0];
    const idsOf = async (partition: Partition): Promise<string[]> =>
      (await store.range("telemetry", partition, { limit: 1_000 }, NEVER)).map(({ id }) => id);
    const etagOf = async (partition: Partition, id: string): Promise<string> => (await read(partition, id))?.etag ?? "";

    describe("writing", () => {
      test("a document comes back as it was written, with an etag and the time", async () => {
        const partition = fresh();
        const fields = {
          text: 'ä"\u0000\\🏭',
          half: "\ud83c",
          list: [1, -0.5, 1e-300, null, true, { a: {} }],
          big: 2 ** 53 - 1,
        };
        const body = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
        const result = await create(partition, { id: "a", kind: "block", fields, body });
        const document = (await read(partition, "a")) as StoredDocument;
        expect(result).toEqual({ status: "done", etags: [document.etag] });
        expect({ ...document, body: undefined }).toEqual({
          partition,
          id: "a",
          kind: "block",
          fields,
          etag: expect.stringMatching(/./),
          storedMs: expect.any(Number),
          body: undefined,
        });
        expect(Buffer.compare(document.body ?? new Uint8Array(), body)).toBe(0);
        expect(document.storedMs).toBeGreaterThan(1.6e12);
      });

      test("an empty body is not the same as none; what is kept for ever and what is not in the feed say so", async () => {
        const partition = fresh();
        await create(
          partition,
          note("none"),
          note("empty", "", { body: new Uint8Array() }),
          note("kept", "", { ttl: "never", inFeed: false }),
        );
        const [none, empty, kept] = await Promise.all(["none", "empty", "kept"].map((id) => read(partition, id)));
        expect(none).not.toHaveProperty("body");
        expect(empty?.body).toHaveLength(0);
        expect(kept).toMatchObject({ ttl: "never", inFeed: false });
        expect(none).not.toHaveProperty("ttl");
        expect(none).not.toHaveProperty("inFeed");
      });

      test("create fails on an id that is taken, and leaves what was there", async () => {
        const partition = fresh();
        await create(partition, note("a", "first"));
        expect(await create(partition, note("b"), note("a", "second"))).toEqual({ status: "exists", index: 1 });
        expect((await read(partition, "a"))?.fields).toEqual({ text: "first" });
        expect(await idsOf(partition)).toEqual(["a"]);
      });

      test("replace goes by the etag, which is another one after each write", async () => {
        const partition = fresh();
        await create(partition, note("a"));
        const etag = await etagOf(partition, "a");
        const replace = (text: string, etag: string): Promise<CommitResult> =>
          one({ partition, operations: [{ op: "replace", document: note("a", text), etag }] });
        const second = await replace("second", etag);
        expect(second).toEqual({ status: "done", etags: [await etagOf(partition, "a")] });
        expect(await etagOf(partition, "a")).not.toBe(etag);
        expect(await replace("third", etag)).toEqual({ status: "changed", index: 0 });
        expect((await read(partition, "a"))?.fields).toEqual({ text: "second" });
        expect(await replace("third", "nonsense")).toEqual({ status: "changed", index: 0 });
        expect(await one({ partition, operations: [{ op: "replace", document: note("gone"), etag }] })).toEqual({
          status: "changed",
          index: 0,
        });
      });

      test("upsert writes whatever was there, also with the same contents", async () => {
        const partition = fresh();
        const upsert = (text: string): Promise<CommitResult> =>
          one({ partition, operations: [{ op: "upsert", document: note("a", text) }] });
        const results = [await upsert("1"), await upsert("2"), await upsert("2")];
        const etags = results.flatMap((each) => (each.status === "done" ? each.etags : []));
        expect(new Set(etags).size).toBe(3);
        expect(await read(partition, "a")).toMatchObject({ fields: { text: "2" }, etag: etags[2] });
      });

      test("a replaced document loses its body, time to live and place outside the feed when the new one has none", async () => {
        const partition = fresh();
        await create(partition, note("a", "1", { body: Buffer.from("x"), ttl: "never", inFeed: false }));
        for (const document of [note("a", "2"), note("a", "3", { ttl: "never" }), note("a", "4")]) {
          await one({ partition, operations: [{ op: "upsert", document }] });
          const { etag, storedMs, ...found } = (await read(partition, "a")) as StoredDocument;
          expect(found).toEqual({ ...document, partition });
        }
        expect(await idsOf(partition)).toEqual(["a"]);
      });

      test("remove: by etag or whatever is there; gone is gone", async () => {
        const partition = fresh();
        await create(partition, note("a"), note("b"), note("kept", "", { ttl: "never" }));
        const remove = (id: string, etag?: string): Promise<CommitResult> =>
          one({ partition, operations: [etag === undefined ? { op: "remove", id } : { op: "remove", id, etag }] });
        expect(await remove("a", "nonsense")).toEqual({ status: "changed", index: 0 });
        expect(await remove("a", await etagOf(partition, "a"))).toEqual({ status: "done", etags: [""] });
        expect(await remove("a", "nonsense")).toEqual({ status: "changed", index: 0 });
        expect(await remove("a")).toEqual({ status: "done", etags: [""] });
        expect(await remove("kept")).toEqual({ status: "done", etags: [""] });
        expect(await idsOf(partition)).toEqual(["b"]);
        expect(await read(partition, "a")).toBeUndefined();
        expect((await create(partition, note("a", "again"))).status).toBe("done");
      });

      test("a transaction is all or nothing: what stands before the operation that fails is not done", async () => {
        const partition = fresh();
        await create(partition, note("taken"), note("other"), note("victim"));
        const before = await etagOf(partition, "other");
        const result = await one({
          partition,
          operations: [
            { op: "create", document: note("new") },
            { op: "replace", document: note("other", "changed"), etag: before },
            { op: "remove", id: "victim" },
            { op: "upsert", document: note("upserted") },
            { op: "create", document: note("taken", "second") },
          ],
        });
        expect(result).toEqual({ status: "exists", index: 4 });
        expect(await idsOf(partition)).toEqual(["other", "taken", "victim"]);
        expect(await read(partition, "other")).toMatchObject({ etag: before, fields: { text: "other" } });
      });

      test("transactions of one call are independent, also of one partition; each says what became of it", async () => {
        const [p, q] = [fresh(), fresh()];
        await create(p, note("taken"));
        const results = await store.commit(
          "telemetry",
          [
            { partition: p, operations: [{ op: "create", document: note("a") }] },
            { partition: p, operations: [{ op: "create", document: note("taken") }] },
            { partition: q, operations: [{ op: "create", document: note("taken") }] },
            { partition: q, operations: [{ op: "replace", document: note("none"), etag: "x" }] },
            { partition: { ...q, part: "other" }, operations: [{ op: "create", document: note("taken") }] },
            { partition: q, operations: [] },
          ],
          NEVER,
        );
        expect(results.map(({ status }) => status)).toEqual(["done", "exists", "done", "changed", "done", "done"]);
        expect(await idsOf(p)).toEqual(["a", "taken"]);
        expect(await idsOf(q)).toEqual(["taken"]);
        expect(await idsOf({ ...q, part: "other" })).toEqual(["taken"]);
        expect(await store.commit("telemetry", [], NEVER)).toEqual([]);
      });

      test("of two transactions of one call that go by the same etag, one is done", async () => {
        const partition = fresh();
        await create(partition, note("a"));
        const etag = await etagOf(partition, "a");
        const transactions = ["1", "2", "3"].map((text) => ({
          partition,
          operations: [
            { op: "replace" as const, document: note("a", text), etag },
            { op: "create" as const, document: note(`of-${text}`) },
          ],
        }));
        const results = await store.commit("telemetry", transactions, NEVER);
        expect(results.map(({ status }) => status).sort()).toEqual(["changed", "changed", "done"]);
        const winner = String(results.findIndex(({ status }) => status === "done") + 1);
        expect(await idsOf(partition)).toEqual(["a", `of-${winner}`]);
        expect((await read(partition, "a"))?.fields).toEqual({ text: winner });
      });

      test("many clients that count by the etag lose nothing", async () => {
        const partition = fresh();
        await create(partition, note("count", "0"));
        const increment = async (client: EventStore): Promise<void> => {
          for (;;) {
            const [at] = await client.get("telemetry", [{ partition, id: "count" }], NEVER);
            const document = note("count", String(Number(at?.fields.text) + 1));
            const operation = { op: "replace", document, etag: at?.etag ?? "" } as const;
            const [result] = await client.commit("telemetry", [{ partition, operations: [operation] }], NEVER);
            if (result?.status === "done") return;
          }
        };
        const other = await opened.reopen();
        await Promise.all(
          [store, other, store, other].map(async (client) => {
            for (let i = 0; i < 5; i++) await increment(client);
          }),
        );
        expect((await read(partition, "count"))?.fields).toEqual({ text: "20" });
        await other[Symbol.asyncDispose]();
      });

      test(`${OPERATIONS_MAX} operations are one transaction, more are refused`, async () => {
        const partition = fresh();
        const documents = Array.from({ length: OPERATIONS_MAX + 1 }, (_, i) => note(`n-${String(i).padStart(3, "0")}`));
        await expect(create(partition, ...documents)).rejects.toMatchObject({ code: "STORE_REFUSED" });
        expect(await idsOf(partition)).toEqual([]);
        expect((await create(partition, ...documents.slice(1))).status).toBe("done");
        expect(await idsOf(partition)).toHaveLength(OPERATIONS_MAX);
      });

      test("an id twice in one transaction, and an id that no store can keep, are refused", async () => {
        const partition = fresh();
        for (const ids of [["a", "a"], [""], ["x".repeat(301)], ["\ud800"]])
          await expect(create(partition, ...ids.map((id) => note(id)))).rejects.toMatchObject({
            code: "STORE_REFUSED",
          });
        expect(await idsOf(partition)).toEqual([]);
      });

      test("the largest document is stored; one that is larger, in body or fields, is refused whole", async () => {
        const partition = fresh();
        const large = { ...note("large"), body: Buffer.alloc(DOCUMENT_BYTES_MAX + 1, 7) };
        expect(await create(partition, note("a"), large)).toEqual({ status: "too-large", index: 1 });
        expect(await create(partition, note("b", "x".repeat(DOCUMENT_BYTES_MAX)))).toEqual({
          status: "too-large",
          index: 0,
        });
        expect(await idsOf(partition)).toEqual([]);
        const fits = { ...note("fits"), body: Buffer.alloc(DOCUMENT_BYTES_MAX - 1_000, 9) };
        expect((await create(partition, fits)).status).toBe("done");
        expect((await read(partition, "fits"))?.body).toHaveLength(DOCUMENT_BYTES_MAX - 1_000);
        const half = Buffer.alloc(DOCUMENT_BYTES_MAX - 100_000, 1);
        expect(await create(partition, { ...note("one"), body: half }, { ...note("two"), body: half })).toEqual({
          status: "too-large",
          index: 1,
        });
      });
    });

    describe("reading", () => {
      test("get keeps the order of the keys, with holes, and takes a key twice", async () => {
        const [p, q] = [fresh(), fresh()];
        await create(p, note("a"), note("b", "b", { ttl: "never" }));
        await create(q, note("a", "of q"));
        const keys = [
          { partition: q, id: "a" },
          { partition: p, id: "none" },
          { partition: p, id: "b" },
          { partition: { ...p, part: "none" }, id: "a" },
          { partition: p, id: "a" },
          { partition: p, id: "b" },
        ];
        const found = await store.get("telemetry", keys, NEVER);
        expect(found.map((document) => document?.fields.text)).toEqual(["of q", undefined, "b", undefined, "a", "b"]);
        expect(await store.get("telemetry", [], NEVER)).toEqual([]);
      });

      test("range goes by the bytes of the ids, whatever a language's order is, and within its bounds", async () => {
        const partition = fresh();
        const ids = ["Z", "a", "B", "aa", "a-b", "ab", "Ä", "ä", "z", "0", "10", "9", "￿", "😀", "a'b", "A_B", "A%B"];
        await create(partition, ...ids.map((id, i) => note(id, id, i % 3 === 0 ? { ttl: "never" } : {})));
        await create({ ...partition, part: "other" }, note("aaa"));
        const sorted = ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(await idsOf(partition)).toEqual(sorted);
        const between = async (afterId: string, toId: string | undefined, limit: number): Promise<string[]> => {
          const bounds = { afterId, limit, ...(toId === undefined ? {} : { toId }) };
          return (await store.range("telemetry", partition, bounds, NEVER)).map(({ id }) => id);
        };
        const at = (id: string): number => sorted.indexOf(id);
        expect(await between("a", undefined, 3)).toEqual(sorted.slice(at("a") + 1, at("a") + 4));
        expect(await between("B", "ab", 100)).toEqual(sorted.slice(at("B") + 1, at("ab") + 1));
        expect(await between("a", "a", 100)).toEqual([]);
        expect(await between("b", "y", 100)).toEqual([]);
        expect(await between("😀", undefined, 100)).toEqual([]);
        const [toOnly] = await store.range("telemetry", partition, { toId: "0", limit: 5 }, NEVER);
        expect(toOnly?.id).toBe("0");
      });

      test("containers are apart", async () => {
        const partition = fresh();
        for (const container of CONTAINERS) {
          const operations = [{ op: "create" as const, document: note("a", container) }];
          const [result] = await store.commit(container, [{ partition, operations }], NEVER);
          expect(result?.status).toBe("done");
        }
        for (const container of CONTAINERS) {
          const [document] = await store.get(container, [{ partition, id: "a" }], NEVER);
          expect(document?.fields).toEqual({ text: container });
        }
      });

      test("names are taken as they are, of streams, parts and ids", async () => {
        for (const odd of ODD_NAMES) {
          const id = odd.slice(0, 90);
          const partition = { stream: odd, part: `${odd}/1` };
          expect((await create(partition, note(id, odd))).status, odd).toBe("done");
          expect((await create(partition, note(id))).status, odd).toBe("exists");
          expect((await read(partition, id))?.partition, odd).toEqual(partition);
          expect(await idsOf(partition), odd).toEqual([id]);
        }
        const names = (await followed(store, "telemetry")).documents.map(({ partition }) => partition.stream);
        expect(names).toEqual(expect.arrayContaining(ODD_NAMES));
      });
    });

    describe("the feed", () => {
      const isOf =
        (...partitions: readonly Partition[]) =>
        ({ partition }: StoredDocument): boolean =>
          partitions.some(({ stream, part }) => stream === partition.stream && part === partition.part);

      test("its ranges together give every document, each from one of them", async () => {
        const partitions = Array.from({ length: 24 }, () => fresh());
        for (const partition of partitions) await create(partition, note("a", partition.stream));
        const { documents, ranges } = await followed(store, "telemetry");
        const found = documents.filter(isOf(...partitions));
        expect(found.map(({ fields }) => fields.text).sort()).toEqual(partitions.map(({ stream }) => stream).sort());
        expect(ranges.length).toBeGreaterThan(0);
        expect(await store.feedRanges("telemetry", NEVER)).toEqual(ranges);
      });

      test("a document comes with its newest version only, and in the order of the last writes of its partition", async () => {
        const partition = fresh();
        await create(partition, note("a", "1"), note("b", "1"));
        await create(partition, note("c", "1", { ttl: "never" }));
        await one({ partition, operations: [{ op: "upsert", document: note("a", "2") }] });
        await create(partition, note("d", "1"));
        await one({ partition, operations: [{ op: "upsert", document: note("b", "2") }] });
        await one({ partition, operations: [{ op: "remove", id: "d" }] });
        const documents = (await followed(store, "telemetry")).documents.filter(isOf(partition));
        expect(documents.map(({ id, fields }) => `${id}${fields.text}`)).toEqual(["c1", "a2", "b2"]);
        expect(documents.map(({ etag }) => etag)).toEqual(
          await Promise.all(["c", "a", "b"].map((id) => etagOf(partition, id))),
        );
      });

      test("a reader gets what came since; a replaced document comes again; bookkeeping never comes", async () => {
        const partition = fresh();
        await create(partition, note("a", "1"), note("hidden", "", { inFeed: false }));
        const first = await followed(store, "telemetry");
        expect((await followed(store, "telemetry", first.reader)).documents).toEqual([]);
        await create(partition, note("b", "1"));
        await one({ partition, operations: [{ op: "upsert", document: note("hidden", "2", { inFeed: false }) }] });
        await one({ partition, operations: [{ op: "upsert", document: note("a", "2") }] });
        const second = await followed(store, "telemetry", first.reader);
        expect(second.documents.map(({ id, fields }) => `${id}${fields.text}`)).toEqual(["b1", "a2"]);
      });

      test("a continuation is good in another client too, and stays where it is when there is nothing", async () => {
        const partition = fresh();
        await create(partition, note("a"));
        const { reader } = await followed(store, "telemetry");
        await create(partition, note("b"));
        const other = await opened.reopen();
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
        const before = (await followed(store, "telemetry")).reader;
        for (let i = 0; i < 12; i++) await create(partition, note(`n-${String(i).padStart(2, "0")}`));
        const { documents, pages } = await followed(store, "telemetry", before, 5);
        expect(documents.map(({ id }) => id)).toEqual(await idsOf(partition));
        const filled = pages.filter((page) => page.documents.length > 0);
        expect(filled.length).toBeGreaterThanOrEqual(2);
        for (const page of filled) expect(page.documents.length).toBeLessThanOrEqual(8);
        expect(filled.map(({ hasMore }) => hasMore).slice(0, -1)).not.toContain(false);
        expect(pages.at(-1)?.hasMore).toBe(false);
      });

      test("bodies come with it, and what is not the container's does not", async () => {
        const partition = fresh();
        const before = (await followed(store, "scored_telemetry")).reader;
        const document = note("a", "scored", { body: Buffer.from([0, 255, 13, 10, 0]) });
        await store.commit("scored_telemetry", [{ partition, operations: [{ op: "create", document }] }], NEVER);
        await create(partition, note("b"));
        const { documents } = await followed(store, "scored_telemetry", before);
        expect(documents.map(({ id, body }) => [id, [...(body ?? [])]])).toEqual([["a", [0, 255, 13, 10, 0]]]);
      });

      test("a reader beside six writers misses nothing and sees each partition in its order", async () => {
        await manyWriters(opened, 6, 1_000);
      });
    });

    describe("its end", () => {
      test("every method ends with the signal's reason", async () => {
        const reason = new Error("enough");
        const signal = AbortSignal.abort(reason);
        const partition = fresh();
        const operations = [{ op: "create" as const, document: note("a") }];
        const range = (await store.feedRanges("telemetry", NEVER))[0] as string;
        await expect(store.ensure(signal)).rejects.toBe(reason);
        await expect(store.commit("telemetry", [{ partition, operations }], signal)).rejects.toBe(reason);
        await expect(store.get("telemetry", [{ partition, id: "a" }], signal)).rejects.toBe(reason);
        await expect(store.range("telemetry", partition, { limit: 1 }, signal)).rejects.toBe(reason);
        await expect(store.feedRanges("telemetry", signal)).rejects.toBe(reason);
        await expect(store.changes("telemetry", range, undefined, 1, signal)).rejects.toBe(reason);
        expect(await read(partition, "a")).toBeUndefined();
      });

      test("also when it comes in the middle of the work; a transaction then is there whole or not at all", async () => {
        const partition = fresh();
        const document = (id: string): NewDocument => ({ ...note(id), body: Buffer.alloc(400_000, 5) });
        const operations = ["a", "b", "c"].map((id) => ({ op: "create" as const, document: document(id) }));
        const abort = new AbortController();
        const committed = store.commit("telemetry", [{ partition, operations }], abort.signal);
        const reason = new Error("enough");
        abort.abort(reason);
        await expect(committed).rejects.toBe(reason);
        await delay(200);
        expect([0, 3]).toContain((await idsOf(partition)).length);
        expect((await create(fresh(), note("a"))).status).toBe("done");
      });

      test("ensure may be called again, by several at once, and takes nothing away", async () => {
        const partition = fresh();
        await create(partition, note("a"));
        const other = await opened.reopen();
        await Promise.all([store.ensure(NEVER), other.ensure(NEVER), store.ensure(NEVER)]);
        expect(await idsOf(partition)).toEqual(["a"]);
        await other[Symbol.asyncDispose]();
      });

      test("charges grow with use, or stay nothing", async () => {
        const before = store.charges();
        await create(fresh(), note("a"));
        const after = store.charges();
        expect(after.writeUnits).toBeGreaterThanOrEqual(before.writeUnits);
        expect(Number.isFinite(after.readUnits + after.feedUnits + after.throttled)).toBe(true);
      });
    });
  });
}

/** Each writer has clients and streams of its own and one stream that all share; the reader follows until it has everything. */
async function manyWriters(opened: OpenedStore, writers: number, documentsEach: number): Promise<void> {
  const container: Container = "telemetry";
  const run = `run-${++streams}`;
  const perCall = 20;
  const seen = new Map<string, number>();
  const last = new Map<string, number>();
  let reader = (await followed(opened.store, container)).reader;
  let isWriting = true;
  const write = async (writer: number): Promise<void> => {
    const client = await opened.reopen();
    for (let at = 0; at < documentsEach; at += perCall) {
      const transactions = Array.from({ length: perCall }, (_, i) => {
        const n = at + i;
        const stream = `${run}/${n % 2 === 0 ? `own-${writer}-${n % 10}` : "shared"}`;
        const document = note(`${writer}-${n}`, "", { fields: { n, writer } });
        return { partition: { stream, part: "" }, operations: [{ op: "create" as const, document }] };
      });
      const results = await client.commit(container, transactions, NEVER);
      expect(results.every(({ status }) => status === "done")).toBe(true);
    }
    await client[Symbol.asyncDispose]();
  };
  const follow = async (): Promise<void> => {
    for (let isLast = false; ; ) {
      const { documents, reader: next } = await followed(opened.store, container, reader, 100);
      reader = next;
      for (const { id, partition, fields } of documents) {
        if (!partition.stream.startsWith(`${run}/`)) continue;
        seen.set(id, (seen.get(id) ?? 0) + 1);
        const line = `${partition.stream} ${fields.writer}`;
        const before = last.get(line) ?? -1;
        // The calls of a writer come one behind the other; within a call the order is the store's to choose.
        expect(Math.floor((fields.n as number) / perCall)).toBeGreaterThanOrEqual(Math.floor(before / perCall));
        last.set(line, fields.n as number);
      }
      if (isLast) return;
      isLast = !isWriting;
    }
  };
  const following = follow();
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer))).finally(() => {
    isWriting = false;
  });
  await following;
  expect(seen.size).toBe(writers * documentsEach);
}
