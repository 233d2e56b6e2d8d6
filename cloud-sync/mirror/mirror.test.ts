import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { type Clock, systemClock } from "../../edge/kernel/clock.ts";
import { openFollowingReader } from "../../edge/log/following-reader.ts";
import { openLog, type SqliteLog } from "../../edge/log/log.ts";
import { uniform } from "../../test/support/block-samples.ts";
import { sampleOf, telemetryOf } from "../../test/support/events.ts";
import { feedEvents, identitiesOf } from "../../test/support/feed-events.ts";
import { putMetadata, putScore } from "../../test/support/office-documents.ts";
import { type OfficeServer, officeServer } from "../../test/support/office-server.ts";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { firstLine, startProgram } from "../../test/support/runtime-process.ts";
import { ShakyStore } from "../../test/support/shaky-store.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import type { NewEvent, StoredEvent } from "../contract/event.ts";
import { FOLLOWED_CONTAINERS, type FollowedContainer } from "../services/query/changes/schema.ts";
import type { EventStore, StoredDocument } from "../store/event-store.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { createMirror, type Mirror, type MirrorOptions } from "./mirror.ts";

const logger = pino({ level: "silent" });
const NEVER = new AbortController().signal;
const MACHINES = ["redmond/mill-01", 'redmond/o\'brien "%s"', "redmond/press"];

/** Waits for no longer than a blink after a failure. */
const hasty: Clock = {
  ...systemClock,
  sleep: (durationMs, signal) => systemClock.sleep(Math.min(durationMs, 30), signal),
};

const disposals: (() => PromiseLike<void> | void)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

interface Factory {
  readonly path: string;
  readonly log: SqliteLog;
  readonly database: TestDatabase;
  readonly store: EventStore;
}

async function factory(): Promise<Factory> {
  const path = join(tempFolder(), "log.db");
  const log = openLog({ path, clock: systemClock, commitIntervalMs: 5, ownStream: "redmond/edge" });
  const database = await testDatabase();
  const store = createPostgresEventStore({ database: database.database, clock: systemClock, logger });
  await store.ensure(NEVER);
  disposals.push(
    () => database[Symbol.asyncDispose](),
    () => store[Symbol.asyncDispose](),
    () => log.close(),
  );
  return { path, log, database, store };
}

/** Runs until the end of the test, or until it is stopped. */
function running(
  { path, database: { database }, store }: Factory,
  more: Partial<MirrorOptions> = {},
): { mirror: Mirror; stop: () => Promise<void> } {
  const log = openFollowingReader(path);
  const mirror = createMirror({ log, site: "redmond", database, store, clock: systemClock, logger, ...more });
  const abort = new AbortController();
  const ran = mirror.run(abort.signal, () => undefined);
  const stop = async (): Promise<void> => {
    abort.abort();
    await ran;
    log.close();
  };
  let stopped: Promise<void> | undefined;
  const once = (): Promise<void> => (stopped ??= stop());
  disposals.push(once);
  return { mirror, stop: once };
}

function roundOf(n: number): NewEvent[] {
  const timeMs = Date.now();
  const events = MACHINES.map((machineId, at) => telemetryOf(machineId, [sampleOf("a", n), sampleOf("b", at)], timeMs));
  if (n % 7 === 0) events.push({ type: "alarm", machineId: MACHINES[n % 3] as string, timeMs, data: { n } });
  return events;
}

function allOf(log: SqliteLog): StoredEvent[] {
  const events = log.readAfter(0, { limitEvents: 10_000 });
  expect(events.length, "the test reads all").toBeLessThan(10_000);
  return events;
}

const byIdentity = (events: readonly StoredEvent[]): StoredEvent[] =>
  events.toSorted((a, b) => (a.machineId < b.machineId ? -1 : a.machineId > b.machineId ? 1 : a.seq - b.seq));

/** What the feed of a container gives from its beginning. */
async function documentsOf(store: EventStore, container: FollowedContainer): Promise<StoredDocument[]> {
  const found: StoredDocument[] = [];
  for (const range of await store.feedRanges(container, NEVER)) {
    let continuation: string | undefined;
    for (let hasMore = true; hasMore; ) {
      const page = await store.changes(container, range, continuation, 500, NEVER);
      found.push(...page.documents);
      ({ continuation, hasMore } = page);
    }
  }
  return found;
}

const contents = (documents: readonly StoredDocument[]): unknown[] =>
  documents
    .map(({ partition, id, kind, fields, body }) => ({
      partition,
      id,
      kind,
      fields,
      body: body && Buffer.from(body).toString("hex"),
    }))
    .sort((a, b) => (JSON.stringify([a.partition, a.id]) < JSON.stringify([b.partition, b.id]) ? -1 : 1));

test("a factory's events are in its mirror as they are, each once; without any line to the cloud", async () => {
  const at = await factory();
  for (let n = 1; n <= 60; n++) {
    await at.log.append(roundOf(n), "now");
    if (n % 25 === 0) at.log.seal();
  }
  const { mirror } = running(at, { gatherMs: 50 });
  for (let n = 61; n <= 90; n++) {
    await at.log.append(roundOf(n), "now");
    if (n % 10 === 0) at.log.seal();
    await delay(8);
  }
  await until("all is mirrored", () => mirror.progress().log.storedOffset === at.log.head());
  expect(byIdentity(await feedEvents(at.store))).toEqual(byIdentity(allOf(at.log)));
  expect(mirror.progress().log).toMatchObject({ refused: 0, events: at.log.head() });
});

test("the newest event is there within two seconds of its append", async () => {
  const at = await factory();
  const { mirror } = running(at);
  const ages: number[] = [];
  for (let n = 1; n <= 2; n++) {
    await delay(130 * n);
    const appendedMs = performance.now();
    const offset = await at.log.append(roundOf(n), "now");
    await until("it is mirrored", () => mirror.progress().log.events >= offset);
    ages.push(performance.now() - appendedMs);
  }
  expect(Math.max(...ages)).toBeLessThan(2_000);
});

test("a store that fails before and after its work, and a reader that begins anew each time, lose and double nothing", async () => {
  const seed = 7;
  const at = await factory();
  const shaky = new ShakyStore(at.store, { seed, share: 0.4 });
  const { mirror } = running({ ...at, store: shaky }, { gatherMs: 10, clock: hasty });
  for (let n = 1; n <= 60; n++) {
    await at.log.append(roundOf(n), "now");
    if (n % 20 === 0) at.log.seal();
    await delay(10);
  }
  await until("all is mirrored", () => mirror.progress().log.storedOffset === at.log.head());
  expect(shaky.failures).toBeGreaterThan(5);
  expect(byIdentity(await feedEvents(at.store))).toEqual(byIdentity(allOf(at.log)));
});

test("a stopped mirror goes on where it stood, and writes nothing twice", async () => {
  const at = await factory();
  await at.log.append(roundOf(1), "now");
  const first = running(at, { gatherMs: 20 });
  await until("mirrored", () => first.mirror.progress().log.storedOffset === at.log.head());
  await first.stop();
  await at.log.append(roundOf(2), "now");
  const second = running(at, { gatherMs: 20 });
  await until("mirrored", () => second.mirror.progress().log.storedOffset === at.log.head());
  expect(second.mirror.progress().log.events).toBe(3);
  expect(identitiesOf(await feedEvents(at.store))).toEqual(identitiesOf(allOf(at.log)));
});

test("metadata and results of the fleet come from the office, newest versions, and are written once", async () => {
  const at = await factory();
  const office = await openOffice();
  await putMetadata(office.store, "factory", "redmond", "redmond", { city: "Redmond" });
  await putMetadata(office.store, "factory", "redmond", "redmond", { city: "Redmond", hall: 2 });
  await putMetadata(office.store, "factory", "austin", "austin", { city: "Austin" });
  for (let seq = 1; seq <= 9; seq++) await putScore(office.store, "redmond", "redmond/mill-01", seq);
  const cloud = { queryUrl: office.url, token: { file: office.tokenFile } };
  const first = running(at, { cloud, askMs: 20 });
  const wanted = async (container: FollowedContainer): Promise<unknown[]> =>
    contents(
      (await documentsOf(office.store, container)).filter(
        ({ fields, partition }) => fields.factoryId !== "austin" && partition.stream !== "factory/austin",
      ),
    );
  await until("all is there", () => first.mirror.progress().office?.documents === 12);
  for (const container of FOLLOWED_CONTAINERS)
    expect(contents(await documentsOf(at.store, container))).toEqual(await wanted(container));
  await putMetadata(office.store, "factory", "redmond", "redmond", { city: "Redmond", hall: 3 });
  await until("what is new is there", () => first.mirror.progress().office?.documents === 14);
  await first.stop();
  const etags = (await documentsOf(at.store, "metadata")).map(({ etag }) => etag);
  // A mirror that has forgotten where it stood compares everything, and writes nothing.
  await at.database.database.query("DELETE FROM app.mirror_feed");
  const second = running(at, { cloud, askMs: 20 });
  await putScore(office.store, "redmond", "redmond/mill-01", 10);
  await until("what is new is there", () => (second.mirror.progress().office?.documents ?? 0) > 0);
  await second.stop();
  expect(second.mirror.progress().office).toEqual({ documents: 1, refused: 0 });
  expect((await documentsOf(at.store, "metadata")).map(({ etag }) => etag)).toEqual(etags);
});

test("without a line, or with a token that is refused, the factory's own events go on; the office's come when it is back", async () => {
  const at = await factory();
  const office = await openOffice();
  await putScore(office.store, "redmond", "redmond/mill-01", 1);
  await office.close();
  writeFileSync(office.tokenFile, "tlst_wrong\n");
  const { mirror } = running(at, { cloud: { queryUrl: office.url, token: { file: office.tokenFile } }, clock: hasty });
  const offset = await at.log.append(roundOf(1), "now");
  await until("its own are there", () => mirror.progress().log.events >= offset);
  await office.open();
  await delay(100);
  expect(mirror.progress().office?.documents).toBe(0);
  writeFileSync(office.tokenFile, `${office.token}\n`);
  await until("the office's are there", () => mirror.progress().office?.documents === 1);
});

// Goal: whenever the mirror is killed, and whenever the line is cut, its store in the end is what the log and the office say, each once.
// Method: a process of its own, killed at random moments by a seed, while events are appended and sealed and the office's server closes.
test("killed at random moments, with a line that comes and goes, it has everything once in the end", async () => {
  const seed = Number(process.env.TAILSTOCK_SEED ?? 20_260);
  const next = uniform(seed);
  const at = await factory();
  const office = await openOffice();
  let [rounds, scores, kills] = [0, 0, 0];
  let child: ChildProcess | undefined;
  disposals.push(() => void child?.kill("SIGKILL"));
  const work = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      await at.log.append(roundOf(++rounds), "now");
      if (next() < 0.15) at.log.seal();
      if (next() < 0.3) await putScore(office.store, "redmond", MACHINES[0] as string, ++scores);
      if (next() < 0.1) await putMetadata(office.store, "machine", "redmond/mill-01", "redmond", { rounds });
      await delay(next() * 25);
    }
  };
  while (kills < 4) {
    child = startProgram(["test/support/mirror-child.ts", at.path, at.database.url, office.url, office.tokenFile]);
    const closed = once(child, "close");
    expect(await firstLine(child)).toBe("runs");
    const isCut = next() < 0.5;
    await work();
    if (isCut) await office.close();
    const { pid } = child;
    const killed = delay(next() * 300).then(() => process.kill(pid ?? 0, "SIGKILL"));
    await work();
    await killed;
    if (isCut) await office.open();
    kills++;
    await closed;
  }
  const { mirror } = running(at, {
    cloud: { queryUrl: office.url, token: { file: office.tokenFile } },
    gatherMs: 20,
    askMs: 20,
  });
  await until(`all is mirrored (seed ${seed})`, () => mirror.progress().log.storedOffset === at.log.head());
  expect(byIdentity(await feedEvents(at.store)), `seed ${seed}`).toEqual(byIdentity(allOf(at.log)));
  const wanted = (await documentsOf(office.store, "scored_telemetry")).length;
  for (let looks = 0; looks < 200 && (await documentsOf(at.store, "scored_telemetry")).length < wanted; looks++)
    await delay(20);
  for (const container of FOLLOWED_CONTAINERS)
    expect(contents(await documentsOf(at.store, container)), `seed ${seed}`).toEqual(
      contents(await documentsOf(office.store, container)),
    );
  expect(mirror.progress().log.events, "the killed ones had done most of it").toBeLessThan(at.log.head() / 2);
});

async function openOffice(): Promise<OfficeServer & { token: string; tokenFile: string }> {
  const office = await officeServer();
  disposals.push(() => office[Symbol.asyncDispose]());
  const token = await office.access.tokens.add({ name: "mirror", role: "viewer", factoryId: "redmond" }, "ada");
  const tokenFile = join(tempFolder(), "token");
  writeFileSync(tokenFile, `${token}\n`);
  return Object.assign(office, { token, tokenFile });
}
