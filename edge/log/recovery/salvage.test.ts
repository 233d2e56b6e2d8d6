import { copyFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import { everyEvent, filledLog, fillRounds, MACHINES } from "../../../test/support/filled-log.ts";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { openLogReader } from "../reader.ts";
import { verifyLog } from "../verify.ts";
import type { SalvageReport } from "./rebuild.ts";
import { salvageLog } from "./salvage.ts";

const PAGE = 4_096;

interface Case {
  readonly path: string;
  readonly original: readonly StoredEvent[];
}

/** A log of twelve blocks and a tail, all of it in the file, or with its newest commits in the write-ahead log. */
async function logFor(options: { withWal?: boolean; rounds?: number } = {}): Promise<Case> {
  const folder = tempFolder();
  const { log } = await filledLog(join(folder, "live.db"), {
    rounds: options.rounds ?? 95,
    signals: 12,
    sealEvery: 20,
  });
  const original = everyEvent(log);
  if (options.withWal !== true) log.checkpoint();
  const path = join(folder, "damaged.db");
  copyFileSync(join(folder, "live.db"), path);
  if (options.withWal === true) copyFileSync(join(folder, "live.db-wal"), `${path}-wal`);
  log.close();
  return { path, original };
}

function salvage(path: string): { report: SalvageReport; events: StoredEvent[] } {
  const report = salvageLog(path, `${path}.salvaged.db`);
  const log = openLogReader(`${path}.salvaged.db`);
  const events = everyEvent(log);
  log.close();
  return { report, events };
}

const keyOf = ({ machineId, seq }: { machineId: string; seq: number }): string => `${machineId}/${seq}`;

/** Nothing is invented, and what is not here is named: exactly, as far as the streams' newest seqs are known. */
function check({ original }: Case, { report, events }: ReturnType<typeof salvage>, epochKnown = true): void {
  const known = new Map(original.map((event) => [keyOf(event), event]));
  for (const event of events) {
    const wanted = known.get(keyOf(event));
    // Where the page of the epochs is gone, fresh events get the new file's: their default identity is made of it.
    const isOwn = !epochKnown && event.epoch !== wanted?.epoch;
    expect(isOwn ? { ...event, epoch: wanted?.epoch, entityId: wanted?.entityId } : event).toEqual(wanted);
  }
  const found = new Set(events.map(keyOf));
  expect(found.size).toBe(events.length);
  expect(report.events).toBe(events.length);
  const lost = new Set(
    report.lost.flatMap(({ machineId, firstSeq, lastSeq }) =>
      Array.from({ length: lastSeq - firstSeq + 1 }, (_, i) => keyOf({ machineId, seq: firstSeq + i })),
    ),
  );
  const ends = new Map(MACHINES.map((machineId) => [machineId as string, 0]));
  for (const key of [...found, ...lost]) {
    const at = key.lastIndexOf("/");
    ends.set(key.slice(0, at), Math.max(ends.get(key.slice(0, at)) ?? 0, Number(key.slice(at + 1))));
  }
  for (const event of original) {
    if (event.seq > (ends.get(event.machineId) ?? 0)) continue;
    expect({ key: keyOf(event), is: found.has(keyOf(event)) !== lost.has(keyOf(event)) }).toEqual({
      key: keyOf(event),
      is: true,
    });
  }
  expect([...lost].filter((key) => !known.has(key))).toEqual([]);
}

function overwrite(path: string, pages: readonly number[], fill: (page: Buffer, n: number) => void): void {
  const bytes = readFileSync(path);
  for (const [n, page] of pages.entries()) fill(bytes.subarray((page - 1) * PAGE, page * PAGE), n);
  writeFileSync(path, bytes);
}

describe("P04 salvage", () => {
  test("a good log comes back whole, bit for bit, and goes on in a new epoch", async () => {
    const log = await logFor();
    const before = readFileSync(log.path);
    const result = salvage(log.path);
    expect(result.events).toEqual(log.original);
    expect(result.report).toMatchObject({ lost: [], gone: [], damagedBlocks: 0, damagedCommits: 0, machines: 3 });
    expect(readFileSync(log.path)).toEqual(before);
    expect(readdirSync(join(log.path, "..")).filter((name) => name.startsWith("damaged"))).toEqual([
      "damaged.db",
      "damaged.db.salvaged.db",
    ]);
    expect((await verifyLog(`${log.path}.salvaged.db`)).faults).toEqual([]);
    const salvaged = openLogReader(`${log.path}.salvaged.db`);
    expect(salvaged.epoch).not.toBe(log.original[0]?.epoch);
    salvaged.close();
  });

  test("a header of zeros, and a schema page of zeros: everything comes back", async () => {
    for (const bytes of [100, PAGE]) {
      const log = await logFor();
      overwrite(log.path, [1], (page) => page.fill(0, 0, bytes));
      const result = salvage(log.path);
      expect(result.events).toEqual(log.original);
      expect(result.report.lost).toEqual([]);
    }
  });

  test("with fresh commits in a write-ahead log, with and without a readable header", async () => {
    for (const isHeaderGone of [false, true]) {
      const log = await logFor({ withWal: true });
      expect(readFileSync(`${log.path}-wal`).length).toBeGreaterThan(PAGE);
      if (isHeaderGone) overwrite(log.path, [1], (page) => page.fill(0));
      const result = salvage(log.path);
      expect(result.events).toEqual(log.original);
      expect(existsSync(`${log.path}-wal`)).toBe(true);
    }
  });

  test("random pages overwritten, or a file cut anywhere: all that is intact comes back, the rest is named, nothing is invented", async () => {
    const log = await logFor();
    const good = readFileSync(log.path);
    const pages = good.length / PAGE;
    const database = new Database(log.path, { readonly: true });
    const rootOf = (name: string): number =>
      database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").pluck().get(name) as number;
    const epochPage = rootOf("epoch");
    database.close();
    const anyDamage = fc.oneof(
      fc.record({
        pages: fc.uniqueArray(fc.integer({ min: 1, max: pages }), { minLength: 10, maxLength: 10 }),
        seed: fc.nat(),
      }),
      fc.record({ cutAt: fc.integer({ min: 1, max: good.length - 1 }) }),
    );
    let run = 0;
    fc.assert(
      fc.property(anyDamage, (damage) => {
        const path = `${log.path}.${run++}`;
        writeFileSync(path, good);
        let isEpochKnown = true;
        if ("cutAt" in damage) {
          truncateSync(path, damage.cutAt);
          isEpochKnown = damage.cutAt >= epochPage * PAGE;
        } else {
          let state = damage.seed;
          overwrite(path, damage.pages, (page) => {
            for (let at = 0; at < page.length; at++) {
              state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
              page[at] = state >>> 24;
            }
          });
          isEpochKnown = !damage.pages.includes(epochPage);
        }
        check(log, salvage(path), isEpochKnown);
      }),
      { numRuns: 40 },
    );
  }, 9_000);

  test("one block damaged: exactly its events are lost; those sealed last are still in the ring of slots", async () => {
    for (const blockId of [4, 34]) {
      const log = await logFor({ rounds: 240 });
      const database = new Database(log.path);
      const block = database
        .prepare(
          "SELECT machine_id AS machineId, first_seq AS firstSeq, block.last_seq AS lastSeq FROM block JOIN machine USING (machine_ref) WHERE block_id = ?",
        )
        .get(blockId);
      database.prepare("UPDATE block_data SET data = zeroblob(length(data)) WHERE block_id = ?").run(blockId);
      database.close();
      const result = salvage(log.path);
      expect(result.report.lost).toEqual(blockId === 4 ? [block] : []);
      check(log, result);
      expect((await verifyLog(`${log.path}.salvaged.db`)).faults).toEqual([]);
    }
  });

  test("what the quota had let go before is not called lost, and events that were kept come back", async () => {
    const folder = tempFolder();
    const clock = new ManualClock();
    const path = join(folder, "log.db");
    const { log } = await filledLog(path, {
      clock,
      rounds: 300,
      noiseBytes: 4_000,
      sealEvery: 20,
      quotaBytes: 1_200_000,
    });
    const before = everyEvent(log);
    while (log.maintain());
    await fillRounds(log, clock, { rounds: 5 });
    const after = everyEvent(log);
    const ledger = log.ledger();
    const isIn = (state: string, machineId: string, seq: number): boolean =>
      ledger.some((r) => r.state === state && r.machineId === machineId && r.firstSeq <= seq && seq <= r.lastSeq);
    log.close();
    const { report, events } = salvage(path);
    // Pages that are free again may still hold what was on them: that comes back as well.
    const known = new Map([...before, ...after].map((event) => [keyOf(event), event]));
    for (const event of events) expect(event).toEqual(known.get(keyOf(event)));
    const found = new Set(events.map(keyOf));
    expect(after.filter((event) => !found.has(keyOf(event)))).toEqual([]);
    expect(report.gone).toEqual([{ state: "shed", events: expect.any(Number) }]);
    for (const { machineId, firstSeq, lastSeq } of report.lost)
      for (let seq = firstSeq; seq <= lastSeq; seq++)
        expect({ seq, is: isIn("thinned", machineId, seq) && !isIn("shed", machineId, seq) }).toEqual({
          seq,
          is: true,
        });
  });

  test("overwrites nothing, and what is no log gives an empty one", async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, "text"), "some text ".repeat(2_000));
    writeFileSync(join(folder, "there.db"), "mine");
    expect(() => salvageLog(join(folder, "text"), join(folder, "there.db"))).toThrow(/overwrites nothing/);
    expect(readFileSync(join(folder, "there.db"), "utf8")).toBe("mine");
    expect(() => salvageLog(join(folder, "none"), join(folder, "new.db"))).toThrow(/there is no file/);
    expect(salvage(join(folder, "text"))).toMatchObject({ events: [], report: { events: 0, lost: [] } });
  });
});
