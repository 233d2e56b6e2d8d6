import { expect, test } from "vitest";
import {
  type CommitResult,
  DOCUMENT_BYTES_MAX,
  type EventStore,
  OPERATIONS_MAX,
  type StoredDocument,
} from "../../../cloud-sync/store/event-store.ts";
import { fresh, NEVER, note, type StoreInTest } from "./store-in-test.ts";

/** create, replace, upsert, remove; what a transaction is, and how large. */
export function testWriting(t: StoreInTest): void {
  test("a document comes back as it was written, with an etag and the time", async () => {
    const partition = fresh();
    const fields = {
      text: 'ä"\u0000\\🏭',
      half: "\ud83c",
      list: [1, -0.5, 1e-300, null, true, { a: {} }],
      big: 2 ** 53 - 1,
    };
    const body = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
    const result = await t.create(partition, { id: "a", kind: "block", fields, body });
    const document = (await t.read(partition, "a")) as StoredDocument;
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
    await t.create(
      partition,
      note("none"),
      note("empty", "", { body: new Uint8Array() }),
      note("kept", "", { ttl: "never", inFeed: false }),
    );
    const [none, empty, kept] = await Promise.all(["none", "empty", "kept"].map((id) => t.read(partition, id)));
    expect(none).not.toHaveProperty("body");
    expect(empty?.body).toHaveLength(0);
    expect(kept).toMatchObject({ ttl: "never", inFeed: false });
    expect(none).not.toHaveProperty("ttl");
    expect(none).not.toHaveProperty("inFeed");
  });

  test("create fails on an id that is taken, and leaves what was there", async () => {
    const partition = fresh();
    await t.create(partition, note("a", "first"));
    expect(await t.create(partition, note("b"), note("a", "second"))).toEqual({ status: "exists", index: 1 });
    expect((await t.read(partition, "a"))?.fields).toEqual({ text: "first" });
    expect(await t.idsOf(partition)).toEqual(["a"]);
  });

  test("replace goes by the etag, which is another one after each write", async () => {
    const partition = fresh();
    await t.create(partition, note("a"));
    const etag = await t.etagOf(partition, "a");
    const replace = (text: string, etag: string): Promise<CommitResult> =>
      t.one({ partition, operations: [{ op: "replace", document: note("a", text), etag }] });
    const second = await replace("second", etag);
    expect(second).toEqual({ status: "done", etags: [await t.etagOf(partition, "a")] });
    expect(await t.etagOf(partition, "a")).not.toBe(etag);
    expect(await replace("third", etag)).toEqual({ status: "changed", index: 0 });
    expect((await t.read(partition, "a"))?.fields).toEqual({ text: "second" });
    expect(await replace("third", "nonsense")).toEqual({ status: "changed", index: 0 });
    expect(await t.one({ partition, operations: [{ op: "replace", document: note("gone"), etag }] })).toEqual({
      status: "changed",
      index: 0,
    });
  });

  test("upsert writes whatever was there, also with the same contents", async () => {
    const partition = fresh();
    const upsert = (text: string): Promise<CommitResult> =>
      t.one({ partition, operations: [{ op: "upsert", document: note("a", text) }] });
    const results = [await upsert("1"), await upsert("2"), await upsert("2")];
    const etags = results.flatMap((each) => (each.status === "done" ? each.etags : []));
    expect(new Set(etags).size).toBe(3);
    expect(await t.read(partition, "a")).toMatchObject({ fields: { text: "2" }, etag: etags[2] });
  });

  test("a replaced document loses its body, time to live and place outside the feed when the new one has none", async () => {
    const partition = fresh();
    await t.create(partition, note("a", "1", { body: Buffer.from("x"), ttl: "never", inFeed: false }));
    for (const document of [note("a", "2"), note("a", "3", { ttl: "never" }), note("a", "4")]) {
      await t.one({ partition, operations: [{ op: "upsert", document }] });
      const { etag, storedMs, ...found } = (await t.read(partition, "a")) as StoredDocument;
      expect(found).toEqual({ ...document, partition });
    }
    expect(await t.idsOf(partition)).toEqual(["a"]);
  });

  test("remove: by etag or whatever is there; gone is gone", async () => {
    const partition = fresh();
    await t.create(partition, note("a"), note("b"), note("kept", "", { ttl: "never" }));
    const remove = (id: string, etag?: string): Promise<CommitResult> =>
      t.one({ partition, operations: [etag === undefined ? { op: "remove", id } : { op: "remove", id, etag }] });
    expect(await remove("a", "nonsense")).toEqual({ status: "changed", index: 0 });
    expect(await remove("a", await t.etagOf(partition, "a"))).toEqual({ status: "done", etags: [""] });
    expect(await remove("a", "nonsense")).toEqual({ status: "changed", index: 0 });
    expect(await remove("a")).toEqual({ status: "done", etags: [""] });
    expect(await remove("kept")).toEqual({ status: "done", etags: [""] });
    expect(await t.idsOf(partition)).toEqual(["b"]);
    expect(await t.read(partition, "a")).toBeUndefined();
    expect((await t.create(partition, note("a", "again"))).status).toBe("done");
  });

  test("a transaction is all or nothing: what stands before the operation that fails is not done", async () => {
    const partition = fresh();
    await t.create(partition, note("taken"), note("other"), note("victim"));
    const before = await t.etagOf(partition, "other");
    const result = await t.one({
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
    expect(await t.idsOf(partition)).toEqual(["other", "taken", "victim"]);
    expect(await t.read(partition, "other")).toMatchObject({ etag: before, fields: { text: "other" } });
  });

  test("transactions of one call are independent, also of one partition; each says what became of it", async () => {
    const [p, q] = [fresh(), fresh()];
    await t.create(p, note("taken"));
    const results = await t.store.commit(
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
    expect(await t.idsOf(p)).toEqual(["a", "taken"]);
    expect(await t.idsOf(q)).toEqual(["taken"]);
    expect(await t.idsOf({ ...q, part: "other" })).toEqual(["taken"]);
    expect(await t.store.commit("telemetry", [], NEVER)).toEqual([]);
  });

  test("of two transactions of one call that go by the same etag, one is done", async () => {
    const partition = fresh();
    await t.create(partition, note("a"));
    const etag = await t.etagOf(partition, "a");
    const transactions = ["1", "2", "3"].map((text) => ({
      partition,
      operations: [
        { op: "replace" as const, document: note("a", text), etag },
        { op: "create" as const, document: note(`of-${text}`) },
      ],
    }));
    const results = await t.store.commit("telemetry", transactions, NEVER);
    expect(results.map(({ status }) => status).sort()).toEqual(["changed", "changed", "done"]);
    const winner = String(results.findIndex(({ status }) => status === "done") + 1);
    expect(await t.idsOf(partition)).toEqual(["a", `of-${winner}`]);
    expect((await t.read(partition, "a"))?.fields).toEqual({ text: winner });
  });

  test("many clients that count by the etag lose nothing", async () => {
    const partition = fresh();
    await t.create(partition, note("count", "0"));
    const increment = async (client: EventStore): Promise<void> => {
      for (;;) {
        const [at] = await client.get("telemetry", [{ partition, id: "count" }], NEVER);
        const document = note("count", String(Number(at?.fields.text) + 1));
        const operation = { op: "replace", document, etag: at?.etag ?? "" } as const;
        const [result] = await client.commit("telemetry", [{ partition, operations: [operation] }], NEVER);
        if (result?.status === "done") return;
      }
    };
    const other = await t.opened.reopen();
    await Promise.all(
      [t.store, other, t.store, other].map(async (client) => {
        for (let i = 0; i < 5; i++) await increment(client);
      }),
    );
    expect((await t.read(partition, "count"))?.fields).toEqual({ text: "20" });
    await other[Symbol.asyncDispose]();
  });

  test(`${OPERATIONS_MAX} operations are one transaction, more are refused`, async () => {
    const partition = fresh();
    const documents = Array.from({ length: OPERATIONS_MAX + 1 }, (_, i) => note(`n-${String(i).padStart(3, "0")}`));
    await expect(t.create(partition, ...documents)).rejects.toMatchObject({ code: "STORE_REFUSED" });
    expect(await t.idsOf(partition)).toEqual([]);
    expect((await t.create(partition, ...documents.slice(1))).status).toBe("done");
    expect(await t.idsOf(partition)).toHaveLength(OPERATIONS_MAX);
  });

  test("an id twice in one transaction, and an id that no store can keep, are refused", async () => {
    const partition = fresh();
    for (const ids of [["a", "a"], [""], ["x".repeat(301)], ["\ud800"]])
      await expect(t.create(partition, ...ids.map((id) => note(id)))).rejects.toMatchObject({
        code: "STORE_REFUSED",
      });
    expect(await t.idsOf(partition)).toEqual([]);
  });

  test("the largest document is stored; one that is larger, in body or fields, is refused whole", async () => {
    const partition = fresh();
    const large = { ...note("large"), body: Buffer.alloc(DOCUMENT_BYTES_MAX + 1, 7) };
    expect(await t.create(partition, note("a"), large)).toEqual({ status: "too-large", index: 1 });
    expect(await t.create(partition, note("b", "x".repeat(DOCUMENT_BYTES_MAX)))).toEqual({
      status: "too-large",
      index: 0,
    });
    expect(await t.idsOf(partition)).toEqual([]);
    const fits = { ...note("fits"), body: Buffer.alloc(DOCUMENT_BYTES_MAX - 1_000, 9) };
    expect((await t.create(partition, fits)).status).toBe("done");
    expect((await t.read(partition, "fits"))?.body).toHaveLength(DOCUMENT_BYTES_MAX - 1_000);
    const half = Buffer.alloc(DOCUMENT_BYTES_MAX - 100_000, 1);
    expect(await t.create(partition, { ...note("one"), body: half }, { ...note("two"), body: half })).toEqual({
      status: "too-large",
      index: 1,
    });
  });
}
