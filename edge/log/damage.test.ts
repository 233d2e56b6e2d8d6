import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import Database from "better-sqlite3";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { GapData, StoredEvent } from "../../cloud-sync/contract/event.ts";
import { noiseOf, sampleOf, telemetryOf } from "../../test/support/events.ts";
import { everyEvent, everySealedEvent, ledgerFaultsOf } from "../../test/support/log-checks.ts";
import { lineOf } from "../../test/support/log-model.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { systemClock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import { openHealingLog } from "./healing-log.ts";
import { openLog, type SqliteLog } from "./log.ts";

// Goal: one bit that turns over, wherever it lies, takes no more than what it lies in, and is told.

const OWN = "a/edge";

function open(path: string): SqliteLog {
  return openLog({ path, clock: systemClock, ownStream: OWN, diskReserveBytes: 0 });
}

/** Three blocks of a/1, one of a/2 and some of the tail; closed. */
async function makeLog(path: string): Promise<StoredEvent[]> {
  const log = open(path);
  for (let block = 0; block < 3; block++) {
    const startMs = 1_780_000_000_000 + block * 600_000;
    const alarm = { type: "alarm", machineId: "a/1", timeMs: startMs + 1, data: { block } } as const;
    await log.append([...noiseOf("a/1", 20, 5, startMs), alarm], "now");
    if (block === 1) await log.append(noiseOf("a/2", 4, 5, startMs), "now");
    log.seal();
  }
  await log.append(noiseOf("a/1", 3, 5, 1_780_000_000_000 + 3 * 600_000), "now");
  const events = everyEvent(log);
  log.close();
  return events;
}

const PLACES = {
  block: { table: "block_data", key: "block_id", column: "data" },
  rollup: { table: "block_data", key: "block_id", column: "rollup" },
  slot: { table: "tail", key: "slot", column: "data" },
} as const;

/** Turns one bit of a blob in the file, as SQLite would read it. */
function flip(path: string, blob: keyof typeof PLACES, id: number, bit: number): void {
  const database = new Database(path);
  const { table, key, column } = PLACES[blob];
  const data = database.prepare(`SELECT ${column} FROM ${table} WHERE ${key} = ?`).pluck().get(id) as Buffer;
  (data[bit >> 3] as number) ^= 1 << (bit & 7);
  data[bit >> 3] = (data[bit >> 3] as number) & 0xff;
  database.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${key} = ?`).run(data, id);
  database.close();
}

function lengthOf(path: string, blob: keyof typeof PLACES, id: number): number {
  const database = new Database(path, { readonly: true });
  const { table, key, column } = PLACES[blob];
  const length = database.prepare(`SELECT length(${column}) FROM ${table} WHERE ${key} = ?`).pluck().get(id) as number;
  database.close();
  return length;
}

function gapsOf(log: SqliteLog, machineId: string): GapData[] {
  return log
    .readStream(machineId, 0, { limitEvents: 1_000, types: ["gap"] })
    .flatMap((event) => (event.type === "gap" ? [event.data] : []));
}

describe("one flipped bit", () => {
  test("L21 P04 anywhere in a block: every read passes it over and serves the rest; the keeper tells exactly what is gone", async () => {
    const source = join(tempFolder(), "log.db");
    const events = await makeLog(source);
    const bits = lengthOf(source, "block", 2) * 8;
    // Block 2 is the second of a/1: 20 readings' events and an alarm.
    const lost = events.filter(({ machineId, seq }) => machineId === "a/1" && seq > 21 && seq <= 42);
    const rest = events.filter((event) => !lost.includes(event));
    for (let bit = 3; bit < bits; bit += Math.ceil(bits / 40)) {
      const path = join(tempFolder(), `log-${bit}.db`);
      copyFileSync(source, path);
      flip(path, "block", 2, bit);
      const log = open(path);
      const seen = new Set(everyEvent(log).map(({ offset }) => offset));
      // A part of the block that holds may still be served: nothing but the block may be missing, and nothing may be altered.
      for (const event of everyEvent(log)) expect(event).toEqual(events[event.offset - 1]);
      for (const { offset } of rest) expect(seen.has(offset)).toBe(true);
      expect(everySealedEvent(log).map(({ offset }) => offset)).toEqual(
        rest.map(({ offset }) => offset).filter((offset) => offset <= 67),
      );
      log.readStream("a/1", 0, { limitEvents: 100 });
      log.readTime("a/1", 0, 9e15, { limitEvents: 100 });
      const line = lineOf(log.readSeries({ machineId: "a/1", signals: ["s0"], fromMs: 0, toMs: 9e15 }), "s0");
      expect(line.timesMs.length).toBeGreaterThanOrEqual(43);
      while (log.maintain());
      const [gap, ...more] = gapsOf(log, "a/1");
      expect(more).toEqual([]);
      expect(gap).toMatchObject({ cause: "corrupt", samples: 100, firstSeq: 22, lastSeq: 42 });
      expect([gap?.fromMs, gap?.toMs]).toEqual([1_780_000_600_000, 1_780_000_609_500]);
      expect(log.latest(OWN, "alarm")?.data).toMatchObject({ what: "block-damaged" });
      // From now on it is set aside: what is there is the rest, and the alarm if it could be read.
      const after = everyEvent(log).filter(({ offset }) => offset <= events.length);
      expect(after.filter(({ type }) => type === "telemetry")).toEqual(rest.filter(({ type }) => type === "telemetry"));
      expect(log.readAfter(0, { limitEvents: 1, types: ["alarm"] })[0]?.seq).toBe(21);
      expect(everyEvent(log, ["alarm"], 1).filter(({ machineId }) => machineId === "a/1").length).toBeGreaterThan(1);
      expect(ledgerFaultsOf(log)).toEqual([]);
      log.close();
      const again = open(path);
      while (again.maintain());
      expect(gapsOf(again, "a/1")).toHaveLength(1);
      again.close();
    }
  });

  test("L21 P04 anywhere in a block's aggregates: they are not believed, and the readings are served", async () => {
    const source = join(tempFolder(), "log.db");
    await makeLog(source);
    const query = { machineId: "a/1", signals: ["s0"], fromMs: 0, toMs: 9e15, resolutionMs: 60_000 };
    const whole = open(source);
    const sound = lineOf(whole.readSeries(query), "s0");
    const block = whole.readBlocks(0, { limitBytes: 1 })[0];
    whole.close();
    expect(block).toBeDefined();
    const bits = lengthOf(source, "rollup", 2) * 8;
    for (let bit = 0; bit < bits; bit += 7) {
      const path = join(tempFolder(), `log-${bit}.db`);
      copyFileSync(source, path);
      flip(path, "rollup", 2, bit);
      const log = open(path);
      const line = lineOf(log.readSeries(query), "s0");
      // Two points a minute, or all twenty readings of the block.
      if (line.timesMs.length !== sound.timesMs.length) expect(line.timesMs.length).toBe(sound.timesMs.length - 2 + 20);
      else expect(line).toEqual(sound);
      log.close();
    }
  });

  test("L22 in a slot of the tail: what is before it in its chain is served, and what other chains hold", async () => {
    const source = join(tempFolder(), "log.db");
    let events: StoredEvent[] = [];
    // Two chains: each opening begins one. Commits take a slot each.
    for (let chain = 0; chain < 2; chain++) {
      const log = open(source);
      for (let n = 0; n < 4; n++) await log.append([telemetryOf("a/1", [sampleOf("x", chain * 4 + n)])], "now");
      events = everyEvent(log);
      log.close();
    }
    for (const [slot, served] of [
      [0, [5, 6, 7, 8]],
      [2, [1, 2, 5, 6, 7, 8]],
      [3, [1, 2, 3, 5, 6, 7, 8]],
      [5, [1, 2, 3, 4, 5]],
      [7, [1, 2, 3, 4, 5, 6, 7]],
    ] as const) {
      // Magic, checksum, number (low and high), part, parts, length, body.
      for (const byte of [0, 4, 8, 13, 14, 16, 18, 25, 60]) {
        const path = join(tempFolder(), `log-${slot}-${byte}.db`);
        copyFileSync(source, path);
        flip(path, "slot", slot, byte * 8 + 2);
        const log = open(path);
        expect({ slot, byte, offsets: everyEvent(log).map(({ offset }) => offset) }).toEqual({
          slot,
          byte,
          offsets: served,
        });
        for (const event of everyEvent(log)) expect(event).toEqual(events[event.offset - 1]);
        expect(log.readStream("a/1", 0, { limitEvents: 99 }).map(({ seq }) => seq)).toEqual(served);
        log.seal();
        expect(everyEvent(log).map(({ offset }) => offset)).toEqual(served);
        log.close();
      }
    }
  });

  test("L22 after the tail's last commit is damaged its numbers are not another's: a new epoch begins beyond every cursor", async () => {
    for (const byte of [0, 4, 9, 60]) {
      const path = join(tempFolder(), `log-${byte}.db`);
      const log = open(path);
      for (let n = 1; n <= 4; n++) await log.append([telemetryOf("a/1", [sampleOf("x", n)])], "now");
      const { epoch } = log;
      // Somebody has read all four.
      log.saveCursor("uplink", 4);
      log.close();
      flip(path, "slot", 3, byte * 8 + 2);
      const options = { path, clock: systemClock, ownStream: OWN, diskReserveBytes: 0 };
      const healed = await openHealingLog({ ...options, logger: pino({ level: "silent" }) });
      await healed.append([telemetryOf("a/1", [sampleOf("x", 5)])], "now");
      const events = everyEvent(healed);
      expect(events.filter(({ machineId }) => machineId === "a/1").map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
      expect(events.slice(0, 3).every((event) => event.epoch === epoch)).toBe(true);
      expect(healed.epoch).not.toBe(epoch);
      for (const event of events.slice(3)) {
        expect(event.epoch).toBe(healed.epoch);
        expect(event.offset).toBeGreaterThan(4);
      }
      expect(events.slice(3).map(({ type }) => type)).toEqual(["gap", "alarm", "telemetry"]);
      // Whoever stood at the end misses nothing of what comes now, sealed or not.
      healed.seal();
      expect(healed.readAfter(4, { limitEvents: 9 })).toEqual(events.slice(3));
      healed.close();
    }
  });

  test("L21 in any page of the file: no read gives an altered event; it is passed over, or the log's own error says so", async () => {
    const source = join(tempFolder(), "log.db");
    const events = await makeLog(source);
    const bytes = readFileSync(source);
    const pages = statSync(source).size / 4_096;
    const path = join(tempFolder(), "flipped.db");
    let refusals = 0;
    const strange = new Set<string>();
    const altered: number[] = [];
    for (let page = 1; page < pages; page++) {
      for (const at of [0, 3, 8, 9, 1_000, 4_000, 4_060, 4_090]) {
        const flipped = Buffer.from(bytes);
        const place = page * 4_096 + at;
        flipped.writeUInt8((flipped[place] as number) ^ 0x10, place);
        for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
        writeFileSync(path, flipped);
        try {
          const log = open(path);
          try {
            const found = [...everyEvent(log), ...everyEvent(log, ["alarm"]), ...everySealedEvent(log)];
            for (const { offset, data, timeMs } of found) {
              const { data: dataBefore, timeMs: timeBefore } = events[offset - 1] ?? {};
              if (!isDeepStrictEqual([data, timeMs], [dataBefore, timeBefore])) altered.push(offset);
            }
            log.readTime("a/1", 0, 9e15, { limitEvents: 100 });
            log.streams();
            log.latest("a/1", "telemetry");
            while (log.maintain());
          } finally {
            log.close();
          }
        } catch (error) {
          refusals++;
          if (!(error instanceof EdgeError))
            strange.add((error as Error).stack?.split("\n").slice(0, 6).join(" | ") ?? "");
        }
      }
    }
    expect([...strange]).toEqual([]);
    expect(altered).toEqual([]);
    expect(refusals).toBeGreaterThan(0);
  }, 120_000);
});
