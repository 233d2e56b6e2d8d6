import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../edge/kernel/clock.ts";
import {
  type CosmosPeer,
  type CosmosPeerOptions,
  startCosmosPeer,
} from "../../../test/support/cosmos-peer/cosmos-peer.ts";
import { isFeed, isWrite } from "../../../test/support/cosmos-peer/faults.ts";
import { until } from "../../../test/support/until.ts";
import { DOCUMENT_BYTES_MAX, type EventStore, type NewDocument, type Operation } from "../event-store.ts";
import { createCosmosEventStore } from "./cosmos-event-store.ts";

const NEVER = new AbortController().signal;
const logger = pino({ level: "silent" });
const partition = { stream: "redmond/mill-07", part: "e/0" };
const DAY_MS = 86_400_000;

interface Opened extends AsyncDisposable {
  readonly peer: CosmosPeer;
  readonly store: EventStore;
}

function clientOf(peer: CosmosPeer): EventStore {
  return createCosmosEventStore({ endpoint: peer.endpoint, key: peer.key, database: "d", clock: systemClock, logger });
}

async function opened(options: CosmosPeerOptions = {}): Promise<Opened> {
  const peer = await startCosmosPeer(options);
  const store = clientOf(peer);
  await store.ensure(NEVER);
  return {
    peer,
    store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
}

function note(id: string, more: Partial<NewDocument> = {}): NewDocument {
  return { id, kind: "note", fields: { text: id }, ...more };
}

function create(store: EventStore, ...documents: NewDocument[]): ReturnType<EventStore["commit"]> {
  const operations = documents.map((document): Operation => ({ op: "create", document }));
  return store.commit("telemetry", [{ partition, operations }], NEVER);
}

async function idsOf(store: EventStore): Promise<readonly string[]> {
  return (await store.range("telemetry", partition, { limit: 1_000 }, NEVER)).map(({ id }) => id);
}

describe("containers", () => {
  test("are made with time to live, key and the least index; a second time changes nothing", async () => {
    await using at = await opened();
    const { telemetry, scored, metadata } = definitionsOf(at.peer);
    for (const { partitionKey, indexingPolicy } of [telemetry, scored, metadata]) {
      expect(partitionKey).toMatchObject({ paths: ["/pk"], kind: "Hash", version: 2 });
      expect(indexingPolicy?.includedPaths).toEqual([{ path: "/pk/?" }]);
      expect(indexingPolicy?.excludedPaths).toEqual([{ path: "/*" }]);
    }
    expect([telemetry.defaultTtl, scored.defaultTtl, metadata.defaultTtl]).toEqual([2_592_000, 2_592_000, undefined]);
    at.peer.asked.length = 0;
    await at.store.ensure(NEVER);
    expect(at.peer.asked.filter((asked) => !asked.startsWith("GET"))).toEqual([]);
  });

  test("are made once by several processes that begin together", async () => {
    await using peer = await startCosmosPeer();
    const stores = Array.from({ length: 4 }, () => clientOf(peer));
    await Promise.all(stores.map((store) => store.ensure(NEVER)));
    expect(definitionsOf(peer).metadata.partitionKey.paths).toEqual(["/pk"]);
    for (const store of stores) await store[Symbol.asyncDispose]();
  });

  test("whose time to live or index are wrong are mended, and keep what they hold", async () => {
    await using at = await opened();
    await create(at.store, note("a"));
    for (const [name, defaultTtl] of [["telemetry", 60] as const, ["metadata", 60] as const]) {
      const collection = at.peer.collection("d", name);
      const { indexingPolicy: _, ...definition } = collection.definition;
      collection.definition = { ...definition, defaultTtl };
    }
    await at.store.ensure(NEVER);
    const { telemetry, metadata } = definitionsOf(at.peer);
    expect([telemetry.defaultTtl, metadata.defaultTtl]).toEqual([2_592_000, undefined]);
    expect(telemetry.indexingPolicy?.excludedPaths).toContainEqual({ path: "/*" });
    expect(await idsOf(at.store)).toEqual(["a"]);
  });

  test("that are divided by something else are refused", async () => {
    await using at = await opened();
    const collection = at.peer.collection("d", "telemetry");
    collection.definition = { ...collection.definition, partitionKey: { paths: ["/id"], kind: "Hash", version: 2 } };
    await expect(at.store.ensure(NEVER)).rejects.toMatchObject({ code: "STORE_REFUSED" });
  });

  test("share a database's autoscale throughput when it is given", async () => {
    await using peer = await startCosmosPeer();
    const { endpoint, key } = peer;
    const connectionString = `AccountEndpoint=${endpoint};AccountKey=${key};`;
    const throughput = { autoscaleMax: 4_000 };
    await using store = createCosmosEventStore({
      connectionString,
      database: "x",
      clock: systemClock,
      logger,
      throughput,
    });
    await store.ensure(NEVER);
    expect(peer.account.autoscaleMax.get("x")).toBe(4_000);
  });

  test("keep telemetry thirty days, what says so for ever, and metadata", async () => {
    let nowMs = Date.now();
    await using at = await opened({ nowMs: () => nowMs });
    await create(at.store, note("a"), note("kept", { ttl: "never", inFeed: false }));
    const inMetadata = [{ partition, operations: [{ op: "create" as const, document: note("m") }] }];
    await at.store.commit("metadata", inMetadata, NEVER);
    nowMs += 30 * DAY_MS - 2_000;
    expect(await idsOf(at.store)).toEqual(["a", "kept"]);
    nowMs += 3_000;
    expect(await idsOf(at.store)).toEqual(["kept"]);
    expect((await at.store.get("metadata", [{ partition, id: "m" }], NEVER))[0]?.id).toBe("m");
    expect(await followed(at.store)).toEqual([]);
  });
});

describe("the account", () => {
  test("with another key, or without the database, refuses; trying again is no use", async () => {
    await using at = await opened();
    const key = Buffer.alloc(64).toString("base64");
    await using wrong = createCosmosEventStore({
      endpoint: at.peer.endpoint,
      key,
      database: "d",
      clock: systemClock,
      logger,
    });
    await expect(wrong.get("telemetry", [{ partition, id: "a" }], NEVER)).rejects.toMatchObject({
      code: "STORE_REFUSED",
      hint: expect.stringContaining("key"),
    });
    const { endpoint, key: right } = at.peer;
    await using lost = createCosmosEventStore({ endpoint, key: right, database: "none", clock: systemClock, logger });
    await expect(lost.get("telemetry", [{ partition, id: "a" }], NEVER)).rejects.toMatchObject({
      code: "STORE_REFUSED",
    });
    await expect(create(lost, note("a"))).rejects.toMatchObject({ code: "STORE_REFUSED" });
  });

  test("that nobody answers for is unavailable", async () => {
    const peer = await startCosmosPeer();
    await using store = clientOf(peer);
    await peer[Symbol.asyncDispose]();
    await expect(create(store, note("a"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("at its throughput is waited for as long as it says, and counted", async () => {
    await using at = await opened();
    at.peer.faults.order({ kind: "throttled", of: isWrite, times: 3, retryAfterMs: 60 });
    const startedMs = performance.now();
    expect((await create(at.store, note("a")))[0]?.status).toBe("done");
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(180);
    at.peer.faults.order({ kind: "throttled", of: isFeed, times: 1, retryAfterMs: 60 });
    expect(await followed(at.store)).toEqual(["a"]);
    expect(at.store.charges().throttled).toBe(4);
  });

  test("that stays at its throughput is unavailable in the end", async () => {
    await using at = await opened();
    at.peer.faults.order({ kind: "throttled", of: isWrite, times: 3, retryAfterMs: 31_000 });
    await expect(create(at.store, note("a"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await idsOf(at.store)).toEqual([]);
  });

  test("is not waited for when the signal aborts", async () => {
    await using at = await opened();
    at.peer.faults.order({ kind: "throttled", of: isWrite, times: 1, retryAfterMs: 25_000 });
    const abort = new AbortController();
    const reason = new Error("enough");
    const operations: Operation[] = [{ op: "create", document: note("a") }];
    const committed = at.store.commit("telemetry", [{ partition, operations }], abort.signal);
    committed.catch(() => undefined);
    await until("the store waits", () => at.store.charges().throttled > 0);
    abort.abort(reason);
    await expect(committed).rejects.toBe(reason);
  });

  test("two writers that meet (449) are tried again at once", async () => {
    await using at = await opened();
    at.peer.faults.order({ kind: "retry-with", of: isWrite, times: 2 });
    expect((await create(at.store, note("a")))[0]?.status).toBe("done");
  });

  test.each(["unavailable", "unavailable-bare", "reset"] as const)(
    "%s: nothing was done, and the caller may try again",
    async (kind) => {
      await using at = await opened();
      at.peer.faults.order({ kind, of: isWrite });
      await expect(create(at.store, note("a"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect((await create(at.store, note("a")))[0]?.status).toBe("done");
      at.peer.faults.order({ kind, of: isFeed });
      // A read over a broken connection the SDK repeats by itself.
      if (kind !== "reset") await expect(followed(at.store)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(await followed(at.store)).toEqual(["a"]);
    },
  );

  test("whose answer is lost has done it: the second try says that it is there", async () => {
    await using at = await opened();
    at.peer.faults.order({ kind: "reset-after", of: isWrite });
    await expect(create(at.store, note("a"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await create(at.store, note("a"))).toEqual([{ status: "exists", index: 0 }]);
  });

  test("says too large (413) of a request that only the account finds too large", async () => {
    await using at = await opened();
    // Each of the keys is in a hundred operations, so that the request is over 2 MB though its documents are within the limits.
    const wide = { stream: "鋼".repeat(640), part: "" };
    const document = (id: string, bytes: number): NewDocument => note(id, { body: Buffer.alloc(bytes, 3) });
    const operations = Array.from(
      { length: 100 },
      (_, index): Operation => ({
        op: "create",
        document: document(`n-${index}`, index === 7 ? DOCUMENT_BYTES_MAX - 1_000 : 400),
      }),
    );
    expect(await at.store.commit("telemetry", [{ partition: wide, operations }], NEVER)).toEqual([
      { status: "too-large", index: 7 },
    ]);
    expect(await at.store.range("telemetry", wide, { limit: 10 }, NEVER)).toEqual([]);
  });

  test("a remove of what is gone stands in nobody's way; etags keep their places", async () => {
    await using at = await opened();
    const operations: Operation[] = [
      { op: "remove", id: "gone" },
      { op: "create", document: note("a") },
      { op: "remove", id: "gone-too" },
      { op: "create", document: note("b") },
    ];
    const [result] = await at.store.commit("telemetry", [{ partition, operations }], NEVER);
    const [a, b] = await at.store.get(
      "telemetry",
      ["a", "b"].map((id) => ({ partition, id })),
      NEVER,
    );
    expect(result).toEqual({ status: "done", etags: ["", a?.etag, "", b?.etag] });
    const again = await at.store.commit("telemetry", [{ partition, operations }], NEVER);
    expect(again).toEqual([{ status: "exists", index: 1 }]);
  });
});

test("request units of writing, reading and following are counted apart, as the account charges them", async () => {
  await using at = await opened();
  const before = at.store.charges();
  await create(at.store, note("a", { body: Buffer.alloc(30 * 1024, 1) }));
  const written = at.store.charges();
  // 40 KB as base64, 5 RU each.
  expect(written.writeUnits - before.writeUnits).toBeGreaterThan(200);
  expect(written.writeUnits - before.writeUnits).toBeLessThan(210);
  expect(written).toMatchObject({ readUnits: before.readUnits, feedUnits: 0 });
  await at.store.get("telemetry", [{ partition, id: "a" }], NEVER);
  const read = at.store.charges();
  expect(read.readUnits - written.readUnits).toBeGreaterThan(40);
  expect(read.readUnits - written.readUnits).toBeLessThan(42);
  await at.store.get("telemetry", [{ partition, id: "none" }], NEVER);
  expect(at.store.charges().readUnits - read.readUnits).toBeCloseTo(1);
  await followed(at.store);
  expect(at.store.charges().feedUnits).toBeGreaterThan(40);
  expect(at.store.charges().writeUnits).toBe(written.writeUnits);
});

test("a transaction and a document that is read are one request each", async () => {
  await using at = await opened();
  at.peer.asked.length = 0;
  await create(at.store, note("a"), note("b"));
  await at.store.get("telemetry", [{ partition, id: "b" }], NEVER);
  const docs = "dbs/d/colls/telemetry/docs";
  expect(at.peer.asked).toEqual([`POST ${docs}`, `GET ${docs}/b`]);
});

describe("the feed", () => {
  test("goes on where physical partitions are split and merged: names and continuations of before stay good", async () => {
    await using at = await opened({ rangeCount: 2 });
    const streams = Array.from({ length: 40 }, (_, index) => `s-${index}`);
    const put = async (id: string): Promise<void> => {
      const transactions = streams.map((stream) => ({
        partition: { stream, part: "" },
        operations: [{ op: "create" as const, document: note(id) }],
      }));
      await at.store.commit("telemetry", transactions, NEVER);
    };
    const ranges = await at.store.feedRanges("telemetry", NEVER);
    expect(ranges).toHaveLength(2);
    const reader = new Map<string, string | undefined>();
    const news = async (store: EventStore): Promise<string[]> => {
      const found: string[] = [];
      for (const range of ranges)
        for (let hasMore = true; hasMore; ) {
          const page = await store.changes("telemetry", range, reader.get(range), 7, NEVER);
          found.push(...page.documents.map(({ id, partition: { stream } }) => `${stream} ${id}`));
          reader.set(range, page.continuation);
          hasMore = page.hasMore;
        }
      return found.sort();
    };
    const all = (id: string): string[] => streams.map((stream) => `${stream} ${id}`).sort();
    await put("one");
    expect(await news(at.store)).toEqual(all("one"));
    const { ranges: physical } = at.peer.collection("d", "telemetry");
    physical.split("0");
    await put("two");
    expect(await news(at.store)).toEqual(all("two"));
    physical.split("1");
    await put("three");
    // As a process that starts anew, and knows only names and continuations.
    await using other = clientOf(at.peer);
    expect(await news(other)).toEqual(all("three"));
    const [, second, third] = physical.all();
    physical.merge(second?.id ?? "", third?.id ?? "");
    await put("four");
    expect(await news(other)).toEqual(all("four"));
    reader.clear();
    expect(await news(other)).toHaveLength(160);
    expect(await other.feedRanges("telemetry", NEVER)).toHaveLength(3);
  });

  test("a transaction is not cut", async () => {
    await using at = await opened();
    await create(at.store, note("a"), note("b"), note("c"));
    await create(at.store, note("d"));
    const pages: number[] = [];
    for (const range of await at.store.feedRanges("telemetry", NEVER)) {
      const { documents } = await at.store.changes("telemetry", range, undefined, 2, NEVER);
      if (documents.length > 0) pages.push(documents.length);
    }
    expect(pages).toEqual([3]);
  });

  test("a page asks once, and not for the container again", async () => {
    await using at = await opened({ rangeCount: 1 });
    await create(at.store, note("a"));
    const [range = ""] = await at.store.feedRanges("telemetry", NEVER);
    let { continuation } = await at.store.changes("telemetry", range, undefined, 10, NEVER);
    at.peer.asked.length = 0;
    for (let i = 0; i < 3; i++)
      ({ continuation } = await at.store.changes("telemetry", range, continuation, 10, NEVER));
    expect(at.peer.asked).toEqual(new Array(3).fill("GET dbs/d/colls/telemetry/docs"));
  });

  test("a continuation of a container that was made anew is refused, as is a name that is none", async () => {
    await using at = await opened({ rangeCount: 1 });
    await using other = await opened({ rangeCount: 1 });
    await create(at.store, note("a"));
    const [range = ""] = await at.store.feedRanges("telemetry", NEVER);
    const { continuation } = await at.store.changes("telemetry", range, undefined, 10, NEVER);
    const refused = { code: "STORE_REFUSED" };
    await expect(other.store.changes("telemetry", range, continuation, 10, NEVER)).rejects.toMatchObject(refused);
    await expect(other.store.changes("telemetry", "bucket-7", undefined, 10, NEVER)).rejects.toMatchObject(refused);
  });
});

async function followed(store: EventStore): Promise<readonly string[]> {
  const found: string[] = [];
  for (const range of await store.feedRanges("telemetry", NEVER)) {
    const { documents } = await store.changes("telemetry", range, undefined, 100, NEVER);
    found.push(...documents.map(({ id }) => id));
  }
  return found;
}

type Definition = ReturnType<CosmosPeer["collection"]>["definition"];

function definitionsOf(peer: CosmosPeer): Record<"telemetry" | "scored" | "metadata", Definition> {
  const of = (name: string): Definition => peer.collection("d", name).definition;
  return { telemetry: of("telemetry"), scored: of("scored_telemetry"), metadata: of("metadata") };
}
