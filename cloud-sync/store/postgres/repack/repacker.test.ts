import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { followed } from "../../../../test/contract/feed-reader.ts";
import { countedEvents, type LiveBlock, storeBlocks } from "../../../../test/support/live-blocks.ts";
import { ManualClock } from "../../../../test/support/manual-clock.ts";
import { testDatabase } from "../../../../test/support/postgres.ts";
import type { Database } from "../../../database/database.ts";
import { createProjections } from "../../../projections/all-projections.ts";
import { Feed } from "../../../projections/feed/feed.ts";
import { ProjectionLoop } from "../../../projections/projection-loop.ts";
import type { EventStore, StoredDocument } from "../../event-store.ts";
import { partitionOf } from "../../telemetry-document.ts";
import { bucketOf } from "../feed-buckets.ts";
import { createPostgresEventStore } from "../postgres-event-store.ts";
import { mergeBlocks } from "./merge-blocks.ts";
import { PackedBucket, type PlacedMerge } from "./packed-bucket.ts";
import { Repacker } from "./repacker.ts";

const NEVER = new AbortController().signal;
const LIMITS = { readingsWanted: 400, documentsMax: 30, settleMs: 3_600_000 };
const logger = pino({ level: "silent" });
const mill = "redmond/mill-07";

interface Opened {
  readonly store: EventStore;
  readonly database: Database;
  readonly clock: ManualClock;
  readonly repacker: Repacker;
}

async function opened(): Promise<Opened> {
  const { database, ...server } = await testDatabase();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const clock = new ManualClock(Date.parse("2026-03-01T12:00:00Z"));
  const store = createPostgresEventStore({ database, clock, logger });
  await store.ensure(NEVER);
  return { store, database, clock, repacker: new Repacker({ database, clock, logger, limits: LIMITS }) };
}

/** Blocks of three events each, one behind the other. */
function live(count: number, more: Partial<LiveBlock> = {}): LiveBlock[] {
  const { firstSeq = 0 } = more;
  return Array.from({ length: count }, (_, i) => ({ machineId: mill, events: 3, ...more, firstSeq: firstSeq + i * 3 }));
}

async function contents(store: EventStore): Promise<{ events: string[]; documents: string[] }> {
  const { documents } = await followed(store, "telemetry");
  return { events: documents.flatMap(countedEvents).sort(), documents: documents.map(({ id }) => id) };
}

async function setReader(database: Database, name: string, range: string, continuation: string | null): Promise<void> {
  await database.query(
    `INSERT INTO model.checkpoint (projection, container, feed_range, continuation) VALUES ($1, 'telemetry', $2, $3)
     ON CONFLICT (projection, container, feed_range) DO UPDATE SET continuation = excluded.continuation`,
    [name, range, continuation],
  );
}

test("blocks of a few seconds become large ones, and the feed gives the same events", async () => {
  const { store, clock, repacker } = await opened();
  const others = live(80, { machineId: "austin/press" });
  await storeBlocks(store, [...live(100), ...others]);
  const before = await contents(store);
  const counts = await repacker.round(NEVER);
  const after = await contents(store);
  expect(after.events).toEqual(before.events);
  expect(before.documents).toHaveLength(180);
  // Five of thirty documents each; what is left may still become more.
  expect(after.documents).toHaveLength(5 + 10 + 20);
  expect(counts.documentsBefore - counts.documentsAfter).toBe(180 - after.documents.length);
  expect(await repacker.round(NEVER)).toEqual({ documentsBefore: 0, documentsAfter: 0 });
  clock.jumpWall(LIMITS.settleMs);
  await repacker.round(NEVER);
  const settled = await contents(store);
  expect(settled.events).toEqual(before.events);
  expect(settled.documents.length).toBeLessThan(after.documents.length);
  expect(await repacker.round(NEVER)).toEqual({ documentsBefore: 0, documentsAfter: 0 });
});

test("a merged document has the id of the first, the place of the last, and tells of all", async () => {
  const { store, repacker } = await opened();
  await storeBlocks(store, live(30));
  const { documents } = await followed(store, "telemetry");
  await repacker.round(NEVER);
  const [merged, ...rest] = (await followed(store, "telemetry")).documents;
  expect(rest).toEqual([]);
  expect(merged).toMatchObject({
    id: documents[0]?.id,
    etag: documents.at(-1)?.etag,
    storedMs: documents[0]?.storedMs,
  });
  expect(merged?.fields).toEqual({
    ...documents[0]?.fields,
    enqueuedMs: documents.at(-1)?.fields.enqueuedMs,
    toMs: documents.at(-1)?.fields.toMs,
    lastSeq: 89,
    events: 90,
    samples: documents.reduce((sum, { fields }) => sum + (fields.samples as number), 0),
  });
  expect(
    (await store.range("telemetry", partitionOf({ epoch: "e", machineId: mill, seq: 5 }), { limit: 9 }, NEVER)).length,
  ).toBe(1);
});

test("only what every reader has passed is touched; one that begins, or begins anew, holds all", async () => {
  const { store, database, repacker } = await opened();
  await storeBlocks(store, live(90));
  const range = String(bucketOf("telemetry", mill));
  const page = await store.changes("telemetry", range, undefined, 45, NEVER);
  await setReader(database, "slow", range, page.continuation ?? null);
  await setReader(database, "new", range, null);
  await setReader(database, "elsewhere", range, "p99999999999");
  const documents = async (): Promise<number> => (await contents(store)).documents.length;
  await repacker.round(NEVER);
  expect(await documents()).toBe(90);
  await setReader(database, "new", range, "foreign");
  await repacker.round(NEVER);
  expect(await documents()).toBe(90);
  await setReader(database, "new", range, "p99999999999");
  await setReader(database, "rebuilt", String((Number(range) + 1) % 8), "p99999999999");
  await repacker.round(NEVER);
  expect(await documents()).toBe(90);
  await database.query("DELETE FROM model.checkpoint WHERE projection = 'rebuilt'");
  await repacker.round(NEVER);
  expect(await documents()).toBe(61);
  const rest = await store.changes("telemetry", range, page.continuation, 100, NEVER);
  expect(rest.documents.map(({ id }) => id)).toEqual((await contents(store)).documents.slice(-45));
});

test("a reader that holds up the packing for a day is named once, and when it moves", async () => {
  const { store, database, clock } = await opened();
  const lines: string[] = [];
  const told = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(line) });
  const repacker = new Repacker({ database, clock, logger: told, limits: LIMITS });
  await storeBlocks(store, live(2));
  const range = String(bucketOf("telemetry", mill));
  await setReader(database, "lake", range, null);
  await setReader(database, "moving", range, "p99999999999");
  await repacker.round(NEVER);
  expect(lines).toEqual([]);
  clock.jumpWall(86_400_001);
  await repacker.round(NEVER);
  await repacker.round(NEVER);
  await setReader(database, "lake", range, "p99999999999");
  await repacker.round(NEVER);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 40, reader: "lake", msg: "a reader has not moved for a day: nothing is packed" },
    { level: 30, reader: "lake", msg: "the reader has moved: blocks are packed again" },
  ]);
});

test("a reader that begins waits until what is being packed is packed", async () => {
  const { store, database } = await opened();
  await storeBlocks(store, live(40));
  const range = String(bucketOf("telemetry", mill));
  const steps: string[] = [];
  await database.transaction(async (sql) => {
    await sql.query("SELECT pg_advisory_xact_lock(1414288208, 0)");
    const begins = setReader(database, "new", range, null).then(() => steps.push("begins"));
    await sql.query("SELECT pg_sleep(0.2)");
    steps.push("packed");
    void begins;
  });
  await expect.poll(() => steps).toEqual(["packed", "begins"]);
  const moves = setReader(database, "new", range, "p1");
  await database.transaction(async (sql) => {
    await sql.query("SELECT pg_advisory_xact_lock(1414288208, 0)");
    await moves;
    await setReader(database, "new", range, "p2");
  });
});

test("a projection is known before it has read anything", async () => {
  const { store, database, clock } = await opened();
  const [projection] = createProjections({ store, database, clock, projections: ["machine_latest"] });
  if (projection === undefined) throw new Error("there is no such projection");
  const loop = new ProjectionLoop({ projection, feed: new Feed(store, clock), database, clock, logger });
  await loop.step(NEVER);
  const { rows } = await database.query(
    "SELECT feed_range, continuation FROM model.checkpoint WHERE container = 'telemetry'",
  );
  expect(rows).toHaveLength(8);
  await storeBlocks(store, live(40));
  expect(await new Repacker({ database, clock, logger, limits: LIMITS }).round(NEVER)).toEqual({
    documentsBefore: 0,
    documentsAfter: 0,
  });
});

test("only seqs that follow each other are put together; what does not count stays uncounted", async () => {
  const { store, clock, repacker } = await opened();
  const at = (firstSeq: number, events: number, admitted?: LiveBlock["admitted"]): LiveBlock => ({
    machineId: mill,
    firstSeq,
    events,
    ...(admitted === undefined ? {} : { admitted }),
  });
  await storeBlocks(store, [
    at(0, 3),
    at(3, 3),
    // A hole: 6 is missing.
    at(7, 3),
    at(10, 6, [
      [10, 11],
      [13, 15],
    ]),
    // Came again, with more behind.
    at(8, 12, [[16, 19]]),
    // 20 came by itself and does not count here; the block has it.
    at(20, 4, [[21, 23]]),
    // 24 came by itself, and no block has it.
    at(25, 3),
    at(28, 3, [[28, 28]]),
  ]);
  await storeBlocks(store, [at(12, 1)]);
  const before = await contents(store);
  clock.jumpWall(LIMITS.settleMs);
  await repacker.round(NEVER);
  const { documents } = await followed(store, "telemetry");
  expect((await contents(store)).events).toEqual(before.events);
  expect(documents.map(({ fields }) => [fields.firstSeq, fields.lastSeq, fields.events, fields.admitted])).toEqual([
    [0, 5, 6, undefined],
    [
      7,
      15,
      8,
      [
        [7, 11],
        [13, 15],
      ],
    ],
    [25, 28, 4, undefined],
    // 13 to 15 are in this block too, between what counts.
    [
      12,
      23,
      8,
      [
        [12, 12],
        [16, 19],
        [21, 23],
      ],
    ],
  ]);
});

test("what differs in stream, epoch, device or day stays apart; single events and roll-ups are left alone", async () => {
  const { store, clock, repacker } = await opened();
  const two = (more: Partial<LiveBlock>): LiveBlock[] => live(2, more);
  await storeBlocks(store, [
    ...two({}),
    ...two({ machineId: "austin/press" }),
    ...two({ epoch: "f" }),
    ...two({ firstSeq: 6, deviceId: "other box" }),
  ]);
  const partition = partitionOf({ epoch: "e", machineId: mill, seq: 0 });
  const single = { id: "events-12", kind: "events", fields: { firstSeq: 12, samples: 0 }, body: Buffer.from("[]") };
  await store.commit("telemetry", [{ partition, operations: [{ op: "create", document: single }] }], NEVER);
  clock.jumpWall(86_400_000);
  await storeBlocks(store, two({ firstSeq: 12 }));
  clock.jumpWall(LIMITS.settleMs);
  await repacker.round(NEVER);
  const { documents } = await followed(store, "telemetry");
  expect(documents).toHaveLength(6);
  expect(documents.filter(({ kind }) => kind === "block").every(({ fields }) => fields.events === 6)).toBe(true);
  expect(documents.find(({ kind }) => kind === "events")?.body).toEqual(Buffer.from("[]"));
});

test("a damaged block stays as it is, and holds up nothing else", async () => {
  const { store, database, clock, repacker } = await opened();
  await storeBlocks(store, [...live(10), ...live(10, { machineId: "austin/press" })]);
  await database.query(
    "UPDATE store.telemetry SET body = overlay(body PLACING '\\xffff' FROM octet_length(body) - 20) WHERE stream = $1 AND id LIKE '%3'",
    [mill],
  );
  clock.jumpWall(LIMITS.settleMs);
  await repacker.round(NEVER);
  const { documents } = await followed(store, "telemetry");
  const of = (stream: string): number => documents.filter(({ partition }) => partition.stream === stream).length;
  // Before it one, itself, and all behind it.
  expect([of(mill), of("austin/press")]).toEqual([3, 1]);
  const damaged = documents.find(({ id }) => id.endsWith("03"));
  expect(() => countedEvents(damaged as StoredDocument)).toThrow();
  await storeBlocks(store, live(30, { firstSeq: 300 }));
  await repacker.round(NEVER);
  expect((await followed(store, "telemetry")).documents).toHaveLength(5);
});

test("what was altered, removed or sent back in between is left alone", async () => {
  const { store, database } = await opened();
  await storeBlocks(store, live(6));
  const range = String(bucketOf("telemetry", mill));
  const bucket = new PackedBucket(database, range);
  const candidates = await bucket.candidates(0, 100);
  const read = async (): Promise<PlacedMerge[]> =>
    mergeBlocks(await bucket.read(candidates)).map((merge) => ({ ...merge, storedOn: "2026-03-01" }));
  const merges = await read();
  const partition = partitionOf({ epoch: "e", machineId: mill, seq: 0 });
  const [first] = (await followed(store, "telemetry")).documents;
  const rewrite = {
    id: first?.id ?? "",
    kind: "block",
    fields: first?.fields ?? {},
    body: first?.body ?? Buffer.alloc(0),
  };
  await store.commit("telemetry", [{ partition, operations: [{ op: "upsert", document: rewrite }] }], NEVER);
  expect(await bucket.replace(merges)).toEqual([]);
  expect(await bucket.read(candidates)).toHaveLength(5);
  await setReader(database, "behind", range, null);
  const fresh = mergeBlocks(await bucket.read(candidates)).map((merge) => ({ ...merge, storedOn: "2026-03-01" }));
  expect(fresh).toHaveLength(1);
  expect(await bucket.replace(fresh)).toEqual([]);
  await database.query("DELETE FROM model.checkpoint");
  expect(await bucket.replace(fresh)).toHaveLength(1);
  expect(await bucket.replace(fresh)).toEqual([]);
});

test("while lines send, readers that are killed now and then count each event once, whoever packs", async () => {
  const { store, database, clock } = await opened();
  const machines = ["redmond/a", "redmond/b", "austin/c"];
  const rounds = 80;
  let isOver = false;
  const write = async (): Promise<void> => {
    for (let at = 0; at < rounds; at++)
      await storeBlocks(
        store,
        machines.flatMap((machineId) => live(2, { machineId, firstSeq: at * 6 })),
      );
    isOver = true;
  };
  const packing = async (): Promise<number> => {
    const repacker = new Repacker({ database, clock, logger, limits: { ...LIMITS, readingsWanted: 60 } });
    let packed = 0;
    for (let turn = 0; !isOver; turn++) {
      // Killed now and then between two of its transactions: what it has done stays done.
      const abort = new AbortController();
      const timer = turn % 3 === 0 ? setTimeout(() => abort.abort(), turn % 20) : undefined;
      packed += await repacker.round(abort.signal).then(
        ({ documentsBefore }) => documentsBefore,
        () => 0,
      );
      clearTimeout(timer);
    }
    return packed;
  };
  const counted = new Map<string, number>();
  const reading = async (name: string, limit: number): Promise<void> => {
    const ranges = await store.feedRanges("telemetry", NEVER);
    for (const range of ranges) await setReader(database, name, range, null);
    for (let turn = 0, isLast = false; ; turn++) {
      for (const range of ranges) {
        const { rows } = await database.query<{ continuation: string | null }>(
          "SELECT continuation FROM model.checkpoint WHERE projection = $1 AND feed_range = $2",
          [name, range],
        );
        for (let at = rows[0]?.continuation ?? undefined, more = true; more; ) {
          const page = await store.changes("telemetry", range, at, limit, NEVER);
          // Killed before its transaction: it reads the page again.
          if (turn % 5 === 2) break;
          await setReader(database, name, range, page.continuation ?? null);
          for (const event of page.documents.flatMap(countedEvents)) {
            const key = `${name} ${event}`;
            counted.set(key, (counted.get(key) ?? 0) + 1);
          }
          at = page.continuation;
          more = page.hasMore;
        }
      }
      if (isLast && turn % 5 !== 2) return;
      isLast = isOver;
    }
  };
  const packed = packing();
  await Promise.all([write(), reading("quick", 7), reading("slow", 40)]);
  expect(await packed).toBeGreaterThan(100);
  const expected = machines.length * rounds * 6 * 2;
  expect([...counted.values()].filter((times) => times !== 1)).toEqual([]);
  expect(counted.size).toBe(expected);
  expect((await contents(store)).events).toHaveLength(expected / 2);
});
