import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { everyEvent, filledLog, MACHINES } from "../../test/support/filled-log.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { openLogReader } from "./reader.ts";
import { verifyLog } from "./verify.ts";

const [MILL] = MACHINES;

/** A closed log of nine blocks, a rest in the tail, and a little damage done to it with SQL. */
async function damaged(...statements: readonly string[]): Promise<string> {
  const path = join(tempFolder(), "log.db");
  const { log } = await filledLog(path, { rounds: 70, sealEvery: 20 });
  log.close();
  const database = new Database(path);
  for (const sql of statements) expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
  database.pragma("wal_checkpoint(TRUNCATE)");
  database.close();
  return path;
}

describe("P04 verify", () => {
  test("finds nothing on a good log, and says what it has proven", async () => {
    const path = await damaged();
    const shares: number[] = [];
    const report = await verifyLog(path, (share) => shares.push(share));
    expect(report.faults).toEqual([]);
    expect(report).toMatchObject({ machines: 3, blocks: 9, samples: 3 * 60 * 5 });
    expect(report.eventsByState).toEqual({ sealed: 3 * 60 + 6, fresh: 3 * 10 + 1 });
    expect(
      report.ledger.map(({ machineId, firstSeq, lastSeq, state }) => [machineId, firstSeq, lastSeq, state]),
    ).toEqual([
      [MACHINES[0], 1, 66, "sealed"],
      [MACHINES[0], 67, 77, "fresh"],
      [MACHINES[1], 1, 60, "sealed"],
      [MACHINES[1], 61, 70, "fresh"],
      [MACHINES[2], 1, 60, "sealed"],
      [MACHINES[2], 61, 70, "fresh"],
    ]);
  });

  test("a log that is being written, sealed and thinned meanwhile is good", async () => {
    const path = join(tempFolder(), "log.db");
    const { log, clock } = await filledLog(path, {
      rounds: 300,
      noiseBytes: 4_000,
      sealEvery: 20,
      quotaBytes: 3_000_000,
    });
    while (log.maintain()) await clock.advance(10);
    const states = new Set(log.ledger().map(({ state }) => state));
    expect(states).toContain("thinned");
    const verifying = verifyLog(path, () => log.maintain());
    log.seal();
    expect((await verifying).faults).toEqual([]);
    log.close();
  });

  test.each<[string, string[], RegExp]>([
    [
      "one bit of a block",
      ["UPDATE block_data SET data = CAST(substr(data,1,200) || x'01' || substr(data,202) AS BLOB) WHERE block_id = 4"],
      /^block 4 \(.*\): /,
    ],
    [
      "a block cut short",
      ["UPDATE block_data SET data = substr(data, 1, length(data) - 9) WHERE block_id = 5"],
      /^block 5 /,
    ],
    ["a hash", ["UPDATE block SET hash = randomblob(16) WHERE block_id = 4"], /^block 4 .*: its hash is another/],
    [
      "the hash of the one before",
      ["UPDATE block SET previous_hash = randomblob(16) WHERE block_id = 4"],
      /predecessor/,
    ],
    [
      "the bytes of a block are gone",
      ["DELETE FROM block_data WHERE block_id = 2"],
      /^block 2 .*: its bytes are missing/,
    ],
    [
      "a count of readings",
      ["UPDATE block SET samples = samples + 1 WHERE block_id = 2"],
      /holds 100 readings, 101 were/,
    ],
    ["a block is gone: a hole", ["DELETE FROM block WHERE block_id = 4"], /^redmond\/mill-01 23–44: nobody knows$/],
    [
      "the newest block of a stream and the tail are gone",
      ["DELETE FROM block WHERE block_id = 7", "UPDATE tail SET data = zeroblob(length(data))"],
      /^redmond\/mill-01 45–66: nobody knows$/,
    ],
    [
      "blocks overlap",
      ["UPDATE block SET first_seq = 15 WHERE block_id = 4"],
      /^redmond\/mill-01 15–44: is here twice/,
    ],
    [
      "a block of another machine",
      ["UPDATE block SET machine_ref = 2, first_seq = 1000, last_seq = 1021 WHERE block_id = 7"],
      /it holds redmond\/mill-01 45–66$/,
    ],
    [
      "aggregates can't be read",
      ["UPDATE block_data SET rollup = x'00112233' WHERE block_id = 6"],
      /^block 6 .*aggregates can't/,
    ],
    [
      "aggregates of another block",
      ["UPDATE block_data SET rollup = (SELECT rollup FROM block_data WHERE block_id = 3) WHERE block_id = 6"],
      /^block 6 .*aggregates are not those/,
    ],
    [
      "aggregates of a thinned block",
      [
        "UPDATE block SET state = 'thinned' WHERE block_id = 6",
        "UPDATE block_data SET rollup = x'00' WHERE block_id = 6",
      ],
      /^block 6 .*aggregates can't be read/,
    ],
    [
      "a commit of the tail",
      ["UPDATE tail SET data = CAST(substr(data,1,100) || x'ffff' || substr(data,103) AS BLOB) WHERE slot = 4"],
      /of what is not sealed yet can't be read$/,
    ],
    ["a row of the index", ["DELETE FROM machine WHERE machine_id = 'redmond/mill-02'"], /./],
  ])("finds damage: %s", async (_what, statements, sentence) => {
    const { faults } = await verifyLog(await damaged(...statements));
    expect(faults.join("\n")).toMatch(new RegExp(sentence.source, "m"));
  });

  test("one flipped bit in any byte of a block is found", async () => {
    const path = await damaged();
    const raw = new Database(path, { readonly: true });
    const data = raw.prepare("SELECT data FROM block_data WHERE block_id = 1").pluck().get() as Buffer;
    raw.close();
    for (let at = 0; at < data.length; at += Math.ceil(data.length / 25)) {
      const copy = `${path}.${at}`;
      copyFileSync(path, copy);
      const database = new Database(copy);
      const flipped = Buffer.from(data);
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
      database.prepare("UPDATE block_data SET data = ? WHERE block_id = 1").run(flipped);
      database.close();
      const { faults, blocks } = await verifyLog(copy);
      expect({ at, blocks, found: faults.some((fault) => fault.startsWith("block 1 ")) }).toEqual({
        at,
        blocks: 8,
        found: true,
      });
    }
  });

  test("a damaged page of an index is a fault, and the blocks are looked at all the same", async () => {
    const path = await damaged();
    const raw = new Database(path, { readonly: true });
    const page = raw.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'block_stream'").pluck().get() as number;
    raw.close();
    const bytes = readFileSync(path);
    bytes.fill(0xaa, (page - 1) * 4_096, page * 4_096);
    writeFileSync(path, bytes);
    const report = await verifyLog(path);
    expect(report.faults.length).toBeGreaterThan(0);
    expect(report.blocks).toBe(9);
  });

  test("any page but the first overwritten: it gives a report, or says that the file is damaged; it never calls it good", async () => {
    const path = await damaged();
    const good = readFileSync(path);
    const used = new Database(path, { readonly: true });
    const freed = used.pragma("freelist_count", { simple: true }) as number;
    used.close();
    expect(freed).toBe(0);
    const events = openLogReader(path);
    expect(everyEvent(events)).toHaveLength(217);
    events.close();
    const calledGood: number[] = [];
    const pages = good.length / 4_096;
    for (let page = 2; page <= pages; page += 3) {
      const copy = `${path}.p${page}`;
      const bytes = Buffer.from(good);
      bytes.fill(0x5a, (page - 1) * 4_096, page * 4_096);
      writeFileSync(copy, bytes);
      try {
        const { faults } = await verifyLog(copy);
        if (faults.length === 0) calledGood.push(page);
      } catch (error) {
        expect(error).toMatchObject({ code: "LOG_CORRUPT" });
      }
    }
    expect(calledGood).toEqual([]);
  });

  test("what is no log, or not there, is refused", async () => {
    const path = join(tempFolder(), "log.db");
    await expect(verifyLog(path)).rejects.toMatchObject({ code: "LOG_UNAVAILABLE" });
    writeFileSync(path, "some text ".repeat(500));
    await expect(verifyLog(path)).rejects.toMatchObject({ code: "LOG_VERSION" });
    expect(MILL).toBe("redmond/mill-01");
  });
});
