import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../../edge/kernel/free-port.ts";
import { followed } from "../../../test/contract/feed-reader.ts";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { testDatabase } from "../../../test/support/postgres.ts";
import { Database } from "../../database/database.ts";
import type { CommitResult, EventStore, NewDocument, Partition } from "../event-store.ts";
import { bucketOf } from "./feed-buckets.ts";
import { createPostgresEventStore } from "./postgres-event-store.ts";
import { StoreKeeper } from "./store-keeper.ts";
import { pageSize } from "./tables.ts";

const NEVER = new AbortController().signal;
const DAY_MS = 86_400_000;
const logger = pino({ level: "silent" });
const mill: Partition = { stream: "redmond/mill-07", part: "e/0" };

interface Opened {
  readonly store: EventStore;
  readonly database: Database;
  readonly clock: ManualClock;
  readonly url: string;
}

async function opened(): Promise<Opened> {
  const { database, url, ...server } = await testDatabase();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const clock = new ManualClock(Date.parse("2026-03-01T12:00:00Z"));
  const store = createPostgresEventStore({ database, clock, logger });
  await store.ensure(NEVER);
  return { store, database, clock, url };
}

function note(id: string, more: Partial<NewDocument> = {}): NewDocument {
  return { id, kind: "note", fields: { text: id }, ...more };
}

async function create(store: EventStore, ...documents: NewDocument[]): Promise<CommitResult | undefined> {
  const operations = documents.map((document) => ({ op: "create" as const, document }));
  return (await store.commit("telemetry", [{ partition: mill, operations }], NEVER))[0];
}

async function idsOf(store: EventStore): Promise<string[]> {
  return (await store.range("telemetry", mill, { limit: 100 }, NEVER)).map(({ id }) => id);
}

async function partitions(database: Database, table = "store.telemetry"): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1",
    [table],
  );
  return rows.map(({ name }) => name.slice(-8));
}

test("telemetry is kept thirty whole days and goes with its day; what is kept for ever stays", async () => {
  const { store, database, clock } = await opened();
  const keeper = new StoreKeeper({ database, clock, logger });
  await create(store, note("old"), note("admitted", { ttl: "never", inFeed: false }), note("kept", { ttl: "never" }));
  await store.commit("metadata", [{ partition: mill, operations: [{ op: "create", document: note("m") }] }], NEVER);
  for (let day = 1; day <= 30; day++) {
    clock.jumpWall(DAY_MS);
    await keeper.keep();
  }
  await create(store, note("young"));
  expect(await idsOf(store)).toEqual(["admitted", "kept", "old", "young"]);
  expect(await partitions(database)).toHaveLength(34);
  clock.jumpWall(DAY_MS);
  await keeper.keep();
  expect(await idsOf(store)).toEqual(["admitted", "kept", "young"]);
  expect((await partitions(database))[0]).toBe("20260302");
  expect((await followed(store, "telemetry")).documents.map(({ id }) => id)).toEqual(["kept", "young"]);
  expect((await create(store, note("old")))?.status).toBe("done");
  expect((await store.get("metadata", [{ partition: mill, id: "m" }], NEVER))[0]?.id).toBe("m");
});

test("an id is taken on every day, and a document that is replaced moves to the day of its new version", async () => {
  const { store, database, clock } = await opened();
  await create(store, note("a"), note("b"));
  clock.jumpWall(5 * DAY_MS);
  expect(await create(store, note("a"))).toEqual({ status: "exists", index: 0 });
  const [found] = await store.get("telemetry", [{ partition: mill, id: "a" }], NEVER);
  expect(found?.storedMs).toBe(Date.parse("2026-03-01T12:00:00Z"));
  const document = note("a", { fields: { text: "new" } });
  const [result] = await store.commit(
    "telemetry",
    [{ partition: mill, operations: [{ op: "replace", document, etag: found?.etag ?? "" }] }],
    NEVER,
  );
  expect(result?.status).toBe("done");
  const { rows } = await database.query("SELECT id, stored_on::text AS day FROM store.telemetry ORDER BY id");
  expect(rows).toEqual([
    { id: "a", day: "2026-03-06" },
    { id: "b", day: "2026-03-01" },
  ]);
});

test("a partition that is missing is made when something is to be stored in it", async () => {
  const { store, database, clock } = await opened();
  await create(store, note("a"));
  await database.query("DROP TABLE store.telemetry_20260301");
  expect((await create(store, note("b")))?.status).toBe("done");
  clock.jumpWall(400 * DAY_MS);
  expect((await create(store, note("c")))?.status).toBe("done");
  // A partition that began while the clock was ahead, whose day somebody drops because it can't be right.
  const press = { stream: "austin/press", part: "" };
  const put = (id: string): Promise<readonly CommitResult[]> =>
    store.commit("telemetry", [{ partition: press, operations: [{ op: "create", document: note(id) }] }], NEVER);
  clock.jumpWall(9 * DAY_MS);
  await put("ahead");
  clock.jumpWall(-9 * DAY_MS);
  await database.query("DROP TABLE store.telemetry_20270414");
  expect(await put("back")).toMatchObject([{ status: "done" }]);
  expect(await put("back")).toMatchObject([{ status: "exists" }]);
  await database.query("DROP TABLE store.telemetry_20270414");
  expect(await idsOf(store)).toEqual(["b", "c"]);
  expect((await partitions(database)).at(-1)).toBe("20270405");
});

test("a clock that is set back, and another process whose clock is behind, hide nothing and write nothing twice", async () => {
  const { store, database, clock } = await opened();
  await create(store, note("a"));
  clock.jumpWall(-3 * DAY_MS);
  expect((await create(store, note("b")))?.status).toBe("done");
  const behind = createPostgresEventStore({ database, clock: new ManualClock(1_600_000_000_000), logger });
  expect((await create(behind, note("c")))?.status).toBe("done");
  for (const each of [store, behind]) {
    expect(await create(each, note("b"))).toEqual({ status: "exists", index: 0 });
    expect(await create(each, note("c"))).toEqual({ status: "exists", index: 0 });
    expect(await idsOf(each)).toEqual(["a", "b", "c"]);
  }
  expect((await followed(store, "telemetry")).documents.map(({ id }) => id)).toEqual(["a", "b", "c"]);
});

test("stores that begin at once on an empty database, and keepers beside them, don't disturb each other", async () => {
  await using server = await testDatabase({ migrated: false });
  const clock = new ManualClock();
  const stores = Array.from({ length: 4 }, () => createPostgresEventStore({ ...server, clock, logger }));
  await Promise.all(stores.map((store) => store.ensure(NEVER)));
  clock.jumpWall(40 * DAY_MS);
  await Promise.all([
    ...stores.map((store, i) => create(store, note(`of-${i}`))),
    ...stores.map(() => new StoreKeeper({ ...server, clock, logger }).keep()),
  ]);
  expect(await idsOf(stores[0] as EventStore)).toEqual(["of-0", "of-1", "of-2", "of-3"]);
  expect(await partitions(server.database, "store.scored_telemetry")).toHaveLength(4);
});

test("a page of the feed ends before it gets too large, and the next goes on behind it", async () => {
  const { store } = await opened();
  const body = Buffer.alloc(1_300_000, 3);
  for (let i = 0; i < 15; i++) await create(store, note(`n-${String(i).padStart(2, "0")}`, { body }));
  const { documents, pages } = await followed(store, "telemetry", new Map(), 500);
  expect(documents.map(({ id }) => id)).toEqual(await idsOf(store));
  expect(pages.map((page) => page.documents.length).filter((length) => length > 0)).toEqual([13, 2]);
});

test("names that an index does not take, ranges and continuations of another store are refused", async () => {
  const { store } = await opened();
  for (const stream of ["a\0b", "\udc00", "鋼".repeat(900)]) {
    const operations = [{ op: "create" as const, document: note("a") }];
    await expect(
      store.commit("telemetry", [{ partition: { stream, part: "" }, operations }], NEVER),
    ).rejects.toMatchObject({
      code: "STORE_REFUSED",
    });
  }
  for (const [range, continuation] of [
    ["8", undefined],
    ["-1", undefined],
    ["0", "12"],
    ["0", "p1; DROP TABLE store.document"],
  ] as const)
    await expect(store.changes("telemetry", range, continuation, 10, NEVER)).rejects.toMatchObject({
      code: "STORE_REFUSED",
    });
});

test("a database that is not there is told apart from one that refuses", async () => {
  await using away = new Database({ url: `postgres://nobody:x@127.0.0.1:${await freePort()}/none` });
  const store = createPostgresEventStore({ database: away, clock: new ManualClock(), logger });
  await expect(store.get("telemetry", [{ partition: mill, id: "a" }], NEVER)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    retry: "backoff",
  });
  await using empty = await testDatabase({ migrated: false });
  const bare = createPostgresEventStore({ ...empty, clock: new ManualClock(), logger });
  await expect(bare.get("telemetry", [{ partition: mill, id: "a" }], NEVER)).rejects.toMatchObject({
    code: "STORE_REFUSED",
    retry: "never",
  });
});

test("limits of every size are kept to, by few statements", async () => {
  const { store } = await opened();
  await store.commit(
    "telemetry",
    [
      {
        partition: mill,
        operations: Array.from({ length: 60 }, (_, i) => ({ op: "create", document: note(`n-${i}`) })),
      },
    ],
    NEVER,
  );
  const range = (await store.feedRanges("telemetry", NEVER))[bucketOf("telemetry", mill.stream)] as string;
  for (const limit of [1, 2, 3, 7, 49, 50, 51, 59, 60, 61, 1_000]) {
    const page = await store.changes("telemetry", range, undefined, limit, NEVER);
    expect([page.documents.length, page.hasMore]).toEqual([Math.min(60, limit), limit < 60]);
    expect(await store.range("telemetry", mill, { limit }, NEVER)).toHaveLength(Math.min(60, limit));
  }
  expect([1, 2, 3, 7, 10, 11, 101, 500, 501].map(pageSize)).toEqual([1, 2, 5, 10, 10, 20, 200, 500, 1_000]);
});
