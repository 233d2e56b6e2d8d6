import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import type { TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { sampleOf } from "../../test/support/events.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { systemClock } from "../kernel/clock.ts";
import { openLog } from "./log.ts";
import { openLogReader } from "./reader.ts";
import { encodeRow } from "./v1/row-codec.ts";
import { verifyLog } from "./verify.ts";

const EPOCH = "0b8f7c1e-6d5a-4c3b-9f2e-1a2b3c4d5e6f";

/** A log as Tailstock 0.1 wrote it: rows only. */
function writeVersion1(path: string): void {
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  database.exec(`
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE machine (machine_ref INTEGER PRIMARY KEY, machine_id TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL) STRICT;
    CREATE TABLE signal (machine_ref INTEGER NOT NULL, signal_ref INTEGER NOT NULL, name TEXT NOT NULL,
      PRIMARY KEY (machine_ref, signal_ref), UNIQUE (machine_ref, name)) STRICT, WITHOUT ROWID;
    CREATE TABLE event (offset INTEGER PRIMARY KEY AUTOINCREMENT, machine_ref INTEGER NOT NULL, seq INTEGER NOT NULL,
      type TEXT NOT NULL, time_ms REAL NOT NULL, appended_ms INTEGER NOT NULL, entity_id TEXT, caused_by TEXT, data ANY NOT NULL) STRICT;
    CREATE UNIQUE INDEX event_stream ON event (machine_ref, seq);
    CREATE INDEX event_kind ON event (machine_ref, type, seq) WHERE type <> 'telemetry';
    CREATE INDEX event_rare ON event (offset) WHERE type <> 'telemetry';
    CREATE TABLE minute (machine_ref INTEGER NOT NULL, first_seq INTEGER NOT NULL, minute INTEGER NOT NULL,
      PRIMARY KEY (machine_ref, first_seq)) STRICT, WITHOUT ROWID;
    CREATE TABLE cursor (name TEXT PRIMARY KEY, offset INTEGER NOT NULL, updated_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('epoch', '${EPOCH}'), ('created_ms', 1000);
    INSERT INTO machine VALUES (1, 'redmond/mill-01', 1500), (2, 'redmond/edge', 3);
    INSERT INTO signal VALUES (1, 0, 'speed'), (1, 1, 'program');
    INSERT INTO cursor VALUES ('uplink', 700, 12345);
    PRAGMA user_version = 1;
    PRAGMA application_id = ${0x544c5354};
  `);
  const insert = database.prepare(`
    INSERT INTO event (machine_ref, seq, type, time_ms, appended_ms, entity_id, caused_by, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  database.transaction(() => {
    for (let seq = 1; seq <= 1_500; seq++) {
      insert.run(
        1,
        seq,
        "telemetry",
        timeOf(seq),
        timeOf(seq),
        null,
        null,
        encodeRow(samplesOf(seq), (name) => (name === "speed" ? 0 : 1)),
      );
      if (seq % 500 === 0)
        insert.run(2, seq / 500, "state", timeOf(seq), timeOf(seq), "e/1", "c/2", JSON.stringify({ n: seq }));
    }
  })();
  database.close();
}

function timeOf(seq: number): number {
  return 1_790_000_000_000 + seq * 1_000;
}

function samplesOf(seq: number): TelemetrySample[] {
  return [
    sampleOf("speed", Math.fround(seq / 10), { receivedTimestampMs: timeOf(seq) }),
    sampleOf("program", seq % 2 === 0 ? "O1000" : null, { statusCode: seq % 2 === 0 ? 0 : 0x80320000 }),
  ];
}

test("a log of version 1 becomes one of today: the same events under the same names, cursors and numbers going on", async () => {
  const path = join(tempFolder(), "log.db");
  writeVersion1(path);
  expect(() => openLogReader(path)).toThrow("older");
  const log = openLog({ path, clock: systemClock });
  expect(log.epoch).toBe(EPOCH);
  expect(log.cursor("uplink")).toBe(700);
  expect(log.head()).toBe(1_503);
  const events = log.readStream("redmond/mill-01", 0, { limitEvents: 10_000 });
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 1_500 }, (_, i) => i + 1));
  expect(events[776]).toEqual({
    epoch: EPOCH,
    machineId: "redmond/mill-01",
    seq: 777,
    offset: 778,
    type: "telemetry",
    timeMs: timeOf(777),
    entityId: `${EPOCH}/redmond/mill-01/777`,
    data: { samples: samplesOf(777) },
  });
  expect(log.readAfter(1_000, { limitEvents: 9, types: ["state"] })).toMatchObject([
    { seq: 2, offset: 1_002, entityId: "e/1", causedBy: "c/2", data: { n: 1_000 } },
    { seq: 3, offset: 1_503 },
  ]);
  expect(await log.append([{ type: "state", machineId: "redmond/edge", timeMs: 5, data: {} }], "now")).toBe(1_504);
  expect(log.latest("redmond/edge", "state")?.seq).toBe(4);
  log.close();
  expect((await verifyLog(path)).faults).toEqual([]);
  const raw = new Database(path, { readonly: true });
  expect(raw.pragma("auto_vacuum", { simple: true })).toBe(2);
  raw.close();
});
