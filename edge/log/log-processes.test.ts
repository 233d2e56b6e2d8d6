import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { sampleOf, telemetryOf } from "../../test/support/events.ts";
import { ledgerFaultsOf, lossFaultsOf } from "../../test/support/log-checks.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { systemClock } from "../kernel/clock.ts";
import type { LogReader } from "./event-log.ts";
import { openLog } from "./log.ts";
import { openLogReader } from "./reader.ts";

const support = join(import.meta.dirname, "..", "..", "test", "support");
const child = join(support, "log-writer-child.ts");

function startWriter(
  path: string,
  name: string,
  machines = "a/1,a/2",
  program = child,
): { process: ChildProcess; acknowledged: () => number } {
  const writer = spawn(process.execPath, [program, path, name, machines], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  writer.stdout.on("data", (chunk) => {
    text = (text + chunk).slice(-200);
  });
  // Only whole lines count: the last one may have been cut by the kill.
  return { process: writer, acknowledged: () => Number(text.split("\n").at(-2) ?? 0) };
}

function* everyEvent(log: LogReader): Generator<StoredEvent> {
  for (let offset = 0; ; ) {
    const events = log.readAfter(offset, { limitEvents: 5_000 });
    yield* events;
    const last = events.at(-1);
    if (!last) return;
    offset = last.offset;
  }
}

/** Every stream counts 1, 2, 3 … and each writer's own numbers arrive in order; gives the highest number of each writer. */
function checkStreams(log: LogReader): Map<string, number> {
  const seqs = new Map<string, number>();
  const numbers = new Map<string, number>();
  for (const event of everyEvent(log)) {
    expect(event.seq).toBe((seqs.get(event.machineId) ?? 0) + 1);
    seqs.set(event.machineId, event.seq);
    if (event.type !== "telemetry") continue;
    const sample = event.data.samples[0];
    const key = `${event.machineId} ${sample?.signal}`;
    expect(sample?.value).toBe((numbers.get(key) ?? 0) + 1);
    numbers.set(key, Number(sample?.value));
  }
  return numbers;
}

test("L01 P02 what was acknowledged survives kill -9 at twenty random moments, and the next start needs no repair", async () => {
  const path = join(tempFolder(), "log.db");
  for (let round = 0; round < 20; round++) {
    const name = `round${round}`;
    const writer = startWriter(path, name);
    await once(writer.process.stdout as NodeJS.ReadableStream, "data");
    await delay(Math.random() * 120);
    writer.process.kill("SIGKILL");
    await once(writer.process, "close");
    const acknowledged = writer.acknowledged();
    const log = openLog({ path, clock: systemClock });
    const numbers = checkStreams(log);
    const found = [numbers.get(`a/1 ${name}`) ?? 0, numbers.get(`a/2 ${name}`) ?? 0];
    expect(acknowledged).toBeGreaterThan(0);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(acknowledged);
    // L02, over a crash: the two events of one append are both there or both not.
    expect(found[0]).toBe(found[1]);
    log.close();
  }
});

test("L03 L04 L09 three processes append to one file while a reader follows: no hole, no repeat, nothing skipped", async () => {
  const path = join(tempFolder(), "log.db");
  openLog({ path, clock: systemClock }).close();
  const writers = ["p", "q", "r"].map((name) => startWriter(path, name, `a/1,${name}/2`));
  const reader = openLogReader(path);
  const followed: number[] = [];
  const untilMs = performance.now() + 2_500;
  let offset = 0;
  while (performance.now() < untilMs) {
    await reader.waitPast(offset, AbortSignal.timeout(1_000));
    for (const event of reader.readAfter(offset, { limitEvents: 500 })) {
      followed.push(event.offset);
      offset = event.offset;
    }
  }
  for (const writer of writers) writer.process.kill("SIGKILL");
  await Promise.all(writers.map((writer) => once(writer.process, "close")));
  const numbers = checkStreams(reader);
  for (const name of ["p", "q", "r"]) expect(numbers.get(`a/1 ${name}`)).toBeGreaterThan(5);
  // What a follower saw is exactly what is there now, up to where it stood.
  const stored = [...everyEvent(reader)].map((event) => event.offset).filter((each) => each <= offset);
  expect(followed).toEqual(stored);
  reader.close();
});

test("L04 L09 L16 while one process seals and sheds and two append, who follows skips nothing and sees nothing twice", async () => {
  const path = join(tempFolder(), "log.db");
  openLog({ path, clock: systemClock }).close();
  const keeper = startWriter(path, "keeper", "", join(support, "log-keeper-child.ts"));
  const writers = ["p", "q"].map((name) => startWriter(path, name, `a/1,${name}/2`));
  const reader = openLogReader(path);
  const followed: StoredEvent[] = [];
  const startedMs = performance.now();
  const isOver = (afterMs: number): boolean => performance.now() - startedMs > afterMs;
  // Until something has been shed, however slow the machine is.
  while (!isOver(4_000) || !(isOver(30_000) || followed.some(({ type }) => type === "gap"))) {
    await reader.waitPast(followed.at(-1)?.offset ?? 0, AbortSignal.timeout(1_000));
    followed.push(...reader.readAfter(followed.at(-1)?.offset ?? 0, { limitEvents: 500 }));
  }
  for (const each of [keeper, ...writers]) each.process.kill("SIGKILL");
  await Promise.all([keeper, ...writers].map((each) => once(each.process, "close")));
  const last = followed.at(-1)?.offset ?? 0;
  expect(keeper.acknowledged()).toBeGreaterThan(5);
  expect(followed.every(({ offset }, i) => i === 0 || offset > (followed[i - 1]?.offset ?? 0))).toBe(true);
  // All that is still there, up to where it stood, was seen as it is; what was not seen went before it came by, and was told.
  const seen = new Map(followed.map((event) => [event.offset, event]));
  const stored = [...everyEvent(reader)];
  for (const event of stored)
    if (event.offset <= last) expect(isDeepStrictEqual(seen.get(event.offset), event)).toBe(true);
  const gaps = stored.flatMap((event) => (event.type === "gap" ? [{ machineId: event.machineId, ...event.data }] : []));
  expect(gaps.length).toBeGreaterThan(0);
  expect(
    lossFaultsOf(
      reader,
      stored.filter(({ machineId }) => machineId === "k/1"),
    ).filter((f) => f.startsWith("k/1")),
  ).toEqual([]);
  const isTold = (machineId: string, seq: number): boolean =>
    gaps.some((gap) => gap.machineId === machineId && (gap.firstSeq ?? 0) <= seq && seq <= (gap.lastSeq ?? 0));
  for (const { machineId } of reader.streams()) {
    const own = followed.filter((event) => event.machineId === machineId);
    const seqs = new Set(own.map(({ seq }) => seq));
    for (let seq = 1; seq < (own.at(-1)?.seq ?? 0); seq++)
      if (!seqs.has(seq)) expect(isTold(machineId, seq)).toBe(true);
  }
  // The newest that the writers were told of is there.
  for (const [i, name] of ["p", "q"].entries()) {
    const newest = reader.latest(`${name}/2`, "telemetry");
    const value = newest?.type === "telemetry" ? Number(newest.data.samples[0]?.value) : 0;
    expect(value).toBeGreaterThanOrEqual(writers[i]?.acknowledged() ?? 0);
  }
  expect(ledgerFaultsOf(reader)).toEqual([]);
  reader.close();
});

test("L09 an event of another process is seen within 100 ms", async () => {
  const path = join(tempFolder(), "log.db");
  const log = openLog({ path, clock: systemClock });
  const reader = openLogReader(path);
  const delaysMs: number[] = [];
  for (let n = 1; n <= 10; n++) {
    const seen = reader.waitPast(reader.head(), AbortSignal.timeout(5_000)).then(() => performance.now());
    await delay(20);
    await log.append([telemetryOf("a/1", [sampleOf("x", n)])], "now");
    const durableMs = performance.now();
    delaysMs.push((await seen) - durableMs);
  }
  delaysMs.sort((a, b) => a - b);
  expect(delaysMs[5]).toBeLessThan(100);
  reader.close();
  log.close();
});
