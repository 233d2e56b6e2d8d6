import { copyFileSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { Recorder } from "../../edge/drivers/recorder.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { openLog, type SqliteLog } from "../../edge/log/log.ts";
import { noiseOf } from "./events.ts";
import { fillUntilFree, releaseDisk } from "./fill-disk.ts";
import { everyEvent, everySealedOffset, ledgerFaultsOf, lossFaultsOf } from "./log-checks.ts";

// Runs on a small disk of its own: one scenario, named on the command line, prints lines of JSON with what is wrong.
const BLOCK_BYTES = 4_096;
const [folder = "", scenario = "", ...args] = process.argv.slice(2);
const options = { clock: systemClock, quotaBytes: 4 << 20, diskReserveBytes: 0, ownStream: "a/edge" };

/** "fine", or the code of the log's error. */
async function outcome(work: () => unknown): Promise<string> {
  try {
    await work();
    return "fine";
  } catch (error) {
    return error instanceof EdgeError ? error.code : String(error);
  }
}

/** What the log holds and whether it is in order; of `acknowledged` offsets none may be missing unless it was told. */
function faultsOf(log: SqliteLog, acknowledged: readonly number[]): string[] {
  const events = everyEvent(log);
  const faults = [...lossFaultsOf(log, events), ...ledgerFaultsOf(log)];
  if (events.some(({ offset }, i) => i > 0 && offset <= (events[i - 1]?.offset ?? 0))) faults.push("out of order");
  const rare = events.filter(({ type }) => type === "alarm").map(({ offset }) => offset);
  if (`${rare}` !== `${acknowledged}`) faults.push(`alarms at ${rare}, acknowledged at ${acknowledged}`);
  const here = new Set(events.map(({ offset }) => offset));
  if (!everySealedOffset(log).every((offset) => here.has(offset))) faults.push("a block holds what no read finds");
  return faults;
}

async function appendTo(log: SqliteLog, acknowledged: number[]): Promise<void> {
  const alarm = { type: "alarm", machineId: "a/1", timeMs: 1, data: { n: acknowledged.length } } as const;
  acknowledged.push(await log.append([...noiseOf("a/1", 40, 100), alarm], "now"));
}

/** A log in the middle of its life: it has shed already, and is nearly at its quota again. Gives the offsets of its alarms. */
async function lived(path: string): Promise<number[]> {
  const log = openLog({ ...options, path });
  const acknowledged: number[] = [];
  for (let n = 0; n < 150; n++) {
    await appendTo(log, acknowledged);
    if (n % 10 === 9) log.seal();
    while (log.maintain());
  }
  log.close();
  return acknowledged;
}

const SCENARIOS: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Everything that the log does, with exactly so many KiB free; then with room again. */
  async work() {
    const found: object[] = [];
    const base = join(folder, "base.db");
    const offsets = await lived(base);
    for (const freeKib of args.map(Number)) {
      const path = join(folder, `log-${freeKib}.db`);
      copyFileSync(base, path);
      const log = openLog({ ...options, path });
      const acknowledged = [...offsets];
      const append = (): Promise<void> => appendTo(log, acknowledged);
      for (let n = 0; n < 10; n++) await append();
      fillUntilFree(folder, freeKib * 1_024);
      const outcomes: string[] = [];
      const faults: string[] = [];
      const work = [
        append,
        () => log.seal(),
        () => log.maintain(),
        append,
        () => log.checkpoint(),
        () => log.saveCursor("c", 7),
      ];
      for (const each of [...work, ...work]) {
        outcomes.push(await outcome(each));
        // What is newest is there at once; the whole of it is looked at below, where nothing has been released yet.
        const last = acknowledged.at(-1) ?? 0;
        if (log.readAfter(last - 1, { limitEvents: 1 })[0]?.offset !== last) faults.push(`${last} is not there`);
      }
      faults.push(...faultsOf(log, acknowledged));
      releaseDisk(folder);
      const head = log.head();
      const healed = await outcome(async () => {
        await append();
        log.seal();
        while (log.maintain());
        log.checkpoint();
      });
      faults.push(...faultsOf(log, acknowledged));
      if ((acknowledged.at(-1) ?? 0) <= head) faults.push("an offset was given twice");
      log.close();
      const again = openLog({ ...options, path });
      faults.push(...faultsOf(again, acknowledged));
      again.close();
      for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
      found.push({ freeKib, refused: outcomes.filter((each) => each !== "fine"), healed, faults });
    }
    return found;
  },

  /** The recorder over a log whose disk fills up while it collects. */
  async recorder() {
    const log = openLog({ ...options, path: join(folder, "log.db"), quotaBytes: 64 << 20 });
    const logger = pino({ level: "silent" });
    const recorder = new Recorder({ log, clock: systemClock, logger, tickMs: 10, waitingSamplesMax: 2_000 });
    let given = 0;
    const tick = async (): Promise<void> => {
      recorder.accept(
        Array.from({ length: 100 }, (_, s) => {
          const receivedTimestampMs = given++;
          const times = { sourceTimestampMs: null, serverTimestampMs: null, receivedTimestampMs };
          return { machineId: "a/1", signal: `s${s}`, value: Math.random(), statusCode: 0, ...times };
        }),
      );
      await recorder.flush();
    };
    for (let n = 0; n < 20; n++) await tick();
    fillUntilFree(folder, 0);
    const headBefore = log.head();
    for (let n = 0; n < 200; n++) await tick();
    const taken = log.head() - headBefore;
    releaseDisk(folder);
    for (let n = 0; n < 20; n++) await tick();
    const events = everyEvent(log);
    const readings = events.flatMap((event) => (event.type === "telemetry" ? event.data.samples : []));
    const gaps = events.flatMap((event) => (event.type === "gap" ? [event.data] : []));
    const times = readings.map(({ receivedTimestampMs }) => receivedTimestampMs);
    const told = gaps.reduce((sum, { samples }) => sum + samples, 0);
    return {
      isRefused: taken < 200,
      isAscending: times.every((timeMs, i) => i === 0 || timeMs > (times[i - 1] as number)),
      isLossTold: told > 0 && told === given - readings.length,
      causes: [...new Set(gaps.map(({ cause }) => cause))],
      // What is missing lies within the gaps' spans.
      isSpanRight: gaps.every(({ fromMs, toMs }) => !times.some((timeMs) => timeMs >= fromMs && timeMs <= toMs)),
      seqs: events.every(({ seq }, i) => seq === i + 1),
    };
  },

  /** The index of the write-ahead log can't grow: the commit is refused, though it is whole in the write-ahead log. */
  async index() {
    const path = join(folder, "log.db");
    const log = openLog({ ...options, path, quotaBytes: 1 << 30 });
    const { database } = log as unknown as { database: { pragma: (text: string) => unknown } };
    database.pragma("wal_autocheckpoint = 0");
    const walFrames = (): number => Math.floor((statSync(`${path}-wal`).size - 32) / (BLOCK_BYTES + 24));
    let acknowledged = 0;
    const append = async (events: number): Promise<void> => {
      await log.append(noiseOf("a/1", events, 100), "now");
      acknowledged += events;
    };
    // The first 32 KiB of the index name 4,062 frames.
    while (walFrames() < 3_800) await append(20);
    // A cursor costs a frame; an append may make the ring of slots grow.
    for (let n = 0; walFrames() < 4_061; n++) log.saveCursor("frames", n);
    const indexBytes = statSync(`${path}-shm`).size;
    fillUntilFree(folder, 7 * BLOCK_BYTES);
    let refused = "fine";
    while (refused === "fine") {
      refused = await outcome(() => log.append(noiseOf("a/1", 1, 100), "now"));
      if (refused === "fine") acknowledged++;
    }
    const seqs = (each: SqliteLog): number => each.streams()[0]?.lastSeq ?? 0;
    const isHidden = seqs(log) === acknowledged && log.head() === acknowledged;
    releaseDisk(folder);
    // A crash at this moment: the refused commit comes back, whole, and its numbers are not given to another.
    mkdirSync(join(folder, "crash"));
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, join(folder, "crash", `log.db${suffix}`));
    const crashed = openLog({ ...options, path: join(folder, "crash", "log.db"), quotaBytes: 1 << 30 });
    const back = seqs(crashed) - acknowledged;
    const nextAfterCrash = (await crashed.append(noiseOf("a/1", 1, 100), "now")) - acknowledged;
    const isWholeAfterCrash = everyEvent(crashed).every(({ seq }, i) => seq === i + 1);
    crashed.close();
    // Without a crash the next commit takes its place.
    const next = (await log.append(noiseOf("a/1", 1, 50), "now")) - acknowledged;
    const last = everyEvent(log).at(-1);
    const isReplaced = last?.type === "telemetry" && last.data.samples.length === 50;
    log.close();
    const again = openLog({ ...options, path, quotaBytes: 1 << 30 });
    const isOne = everyEvent(again).length === acknowledged + 1;
    again.close();
    return { indexBytes, refused, isHidden, back, nextAfterCrash, isWholeAfterCrash, next, isReplaced, isOne };
  },
};

console.log(JSON.stringify(await SCENARIOS[scenario]?.()));
