import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filledLog, fillRounds, MACHINES } from "../../test/support/filled-log.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { openLog, type SqliteLog } from "../log/log.ts";
import { runCli, temporaryFolder } from "./testing.ts";

// tailstock log verify, backup, restore and salvage on real files, with the program as a child process.

let filled: string;
let filledMs: number;
beforeAll(async () => {
  filled = join(mkdtempSync(join(tmpdir(), "tailstock-cli-")), "filled.db");
  const clock = new ManualClock(Date.now() - 3_600_000);
  const { log } = await filledLog(filled, { clock, rounds: 600, signals: 20, sealEvery: 60 });
  log.checkpoint();
  log.close();
  filledMs = clock.nowMs();
});
afterAll(() => rmSync(dirname(filled), { recursive: true, force: true }));

/** A folder with a log that got 60 readings a second for ten minutes, an hour ago. */
async function shop(): Promise<{ folder: string; path: string; log: SqliteLog; clock: ManualClock }> {
  const folder = temporaryFolder();
  const path = join(folder, "data", "tailstock.db");
  mkdirSync(join(folder, "data"));
  copyFileSync(filled, path);
  const clock = new ManualClock(filledMs);
  const log = openLog({ path, clock });
  return { folder, path, log, clock };
}

function damageBlock(path: string): void {
  const database = new Database(path);
  const data = database.prepare("SELECT data FROM block_data WHERE block_id = 5").pluck().get() as Buffer;
  data.writeUInt8(data.readUInt8(data.length >> 1) ^ 8, data.length >> 1);
  database.prepare("UPDATE block_data SET data = ? WHERE block_id = 5").run(data);
  database.close();
}

describe("P04 log verify, backup, restore and salvage", () => {
  test("verify: sound, with the ledger when it is asked for", async () => {
    const { folder, path, log } = await shop();
    const { code, stdout } = await runCli(["log", "verify", "--ledger"], { cwd: folder });
    log.close();
    expect(code).toBe(0);
    expect(stdout).toContain("Sound: 30 blocks with 36,000 readings of 3 streams, and every event is accounted for.");
    expect(stdout).toMatch(/^redmond\/mill-01 +1–660 +sealed +12,000 .* [0-9a-f]{32}$/m);
    const json = JSON.parse((await runCli(["log", "verify", path, "--json", "--ledger"], { cwd: folder })).stdout);
    expect(json).toMatchObject({ faults: [], ledger: [{ firstSeq: 1, lastSeq: 660 }, {}, {}] });
    const plain = JSON.parse((await runCli(["log", "verify", "--json"], { cwd: folder })).stdout);
    expect(plain).not.toHaveProperty("ledger");
  });

  test("verify names the damaged block; salvage brings back all others and names what is lost; both end with 1", async () => {
    const { folder, path, log } = await shop();
    log.checkpoint();
    log.close();
    damageBlock(path);
    const verified = await runCli(["log", "verify"], { cwd: folder });
    expect(verified.code).toBe(1);
    expect(verified.stdout).toMatch(/^DAMAGED: 1 fault\. 29 blocks with 34,800 readings of 3 streams are proven\.$/m);
    const [, id, first, last] = /^ {2}block \d+ \((\S+) (\d+)–(\d+)\): /m.exec(verified.stdout) ?? [];
    const salvaged = await runCli(["log", "salvage", "data/tailstock.db"], { cwd: folder });
    expect(salvaged.code).toBe(1);
    expect(salvaged.stdout).toContain(`Brought back into ${path}.salvaged.db: `);
    expect(salvaged.stdout).toMatch(new RegExp(`^${id} +${first}–${last} +\\d+$`, "m"));
    const other = ["log", "verify", "--against", "data/tailstock.db.salvaged.db"];
    const compared = await runCli(other, { cwd: folder });
    expect(compared.code).toBe(1);
    expect(compared.stdout).toMatch(new RegExp(`^${id} +${first}–${last} +\\d+ {2}only in A; in B lost `, "m"));
    expect(JSON.parse((await runCli([...other, "--json"], { cwd: folder })).stdout)).toMatchObject({
      differences: [{ kind: "missing", why: "lost", machineId: id }],
    });
    const again = await runCli(["log", "salvage", "data/tailstock.db"], { cwd: folder });
    expect({ code: again.code, stdout: again.stdout }).toEqual({ code: 2, stdout: "" });
    const to = await runCli(["log", "salvage", "data/tailstock.db", "--to", "b.db", "--json"], { cwd: folder });
    expect(JSON.parse(to.stdout)).toMatchObject({
      target: join(folder, "b.db"),
      lost: [{ machineId: id, firstSeq: Number(first), lastSeq: Number(last) }],
    });
  });

  test("backup while it is open, and restore: a new epoch, and the old file is set aside and named", async () => {
    const { folder, path, log, clock } = await shop();
    const backup = await runCli(["log", "backup", "copy.db"], { cwd: folder });
    expect({ code: backup.code, stderr: backup.stderr }).toEqual({ code: 0, stderr: "" });
    expect(backup.stdout).toContain("30 blocks with 36,000 readings of 3 streams");
    expect((await runCli(["log", "backup", "copy.db"], { cwd: folder })).code).toBe(2);
    await fillRounds(log, clock, { rounds: 3 });
    const { epoch } = log;
    log.close();
    const same = await runCli(["log", "verify", "--against", "copy.db"], { cwd: folder });
    expect(same.stdout).toMatch(new RegExp(`^${MACHINES[1]} +601–603 +3 {2}only in A; in B never seen `, "m"));
    const restored = await runCli(["log", "restore", "copy.db", "--json"], { cwd: folder });
    expect(restored.code).toBe(0);
    const result = JSON.parse(restored.stdout);
    expect(result).toMatchObject({ path, blocks: 30, samples: 36_000 });
    expect(result.epoch).not.toBe(epoch);
    expect(existsSync(result.setAside[0])).toBe(true);
    const status = await runCli(["status"], { cwd: folder });
    expect(status.stdout).toMatch(/^runtime {2}NOT running \(last commit \d+ min ago\)$/m);
    const text = await runCli(["log", "restore", "copy.db"], { cwd: folder });
    expect(text.stdout).toMatch(/^What was there is set aside:\n {2}.*tailstock\.db\.replaced-\d{8}T\d{6}Z/m);
  });

  test("restore refuses while something writes the log, and a backup that does not prove; nothing is changed", async () => {
    const { folder, path, log } = await shop();
    await runCli(["log", "backup", "copy.db"], { cwd: folder });
    await fillRounds(log, new ManualClock(Date.now()), { rounds: 1 });
    const refused = await runCli(["log", "restore", "copy.db"], { cwd: folder });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/something writes .*tailstock\.db \(last commit/);
    log.close();
    const runtime = { startedMs: 1, configPath: "x", dashboardUrl: null, controlUrl: null, endedMs: null };
    writeFileSync(`${path}.runtime.json`, JSON.stringify({ ...runtime, pid: process.pid }));
    const alive = await runCli(["log", "restore", "copy.db"], { cwd: folder });
    expect(alive.code).toBe(2);
    expect(alive.stderr).toContain(`process ${process.pid} writes`);
    writeFileSync(
      `${path}.runtime.json`,
      JSON.stringify({ ...runtime, pid: process.pid, endedMs: Date.now() + 60_000 }),
    );
    damageBlock(join(folder, "copy.db"));
    const damaged = await runCli(["log", "restore", "copy.db"], { cwd: folder });
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toContain("does not prove");
    expect(readdirSync(join(folder, "data")).filter((name) => /replaced|restoring/.test(name))).toEqual([]);
  });

  test("a log whose beginning is destroyed: verify points to salvage, which brings all of it back", async () => {
    const { folder, path, log } = await shop();
    log.checkpoint();
    log.close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0, 0, 4_096));
    const verified = await runCli(["log", "verify"], { cwd: folder });
    expect(verified.code).toBe(1);
    expect(verified.stderr).toContain("tailstock log salvage");
    const salvaged = await runCli(["log", "salvage", path], { cwd: folder });
    expect(salvaged.code).toBe(0);
    expect(salvaged.stdout).toContain("1,860 events with 36,000 readings of 3 streams");
    const put = await runCli(["log", "restore", `${path}.salvaged.db`], { cwd: folder });
    expect(put.code).toBe(0);
    expect((await runCli(["log", "verify"], { cwd: folder })).code).toBe(0);
  });
});
