import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filledLog, fillRounds } from "../../test/support/filled-log.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { openLog, type SqliteLog } from "../log/log.ts";
import { runCli, temporaryFolder } from "./testing.ts";

// tailstock log usage and simulate-outage on real files, with the program as a child process.
const RATE = 60;

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

/** A folder with a log that got 60 readings a second for ten minutes, an hour ago, and perhaps a configuration. */
async function shop(yaml?: string): Promise<{ folder: string; path: string; log: SqliteLog; clock: ManualClock }> {
  const folder = temporaryFolder();
  const path = join(folder, "data", "tailstock.db");
  mkdirSync(join(folder, "data"));
  copyFileSync(filled, path);
  const clock = new ManualClock(filledMs);
  const log = openLog({ path, clock });
  if (yaml !== undefined) writeFileSync(join(folder, "tailstock.yaml"), yaml);
  return { folder, path, log, clock };
}

const quotaOf = (mib: number): string => `site: redmond
log: { quotaMiB: ${mib}, maxAgeDays: 40 }
machines:
  mill-01:
    address: opc.tcp://127.0.0.1:4840
    signals: { speed: { node: "ns=2;s=Speed" } }
`;

describe("P07 log simulate-outage", () => {
  test("fits: rate, bytes a reading, needed and room, with the default quota named as such", async () => {
    const { folder, log } = await shop();
    log.close();
    const { code, stdout, stderr } = await runCli(["log", "simulate-outage", "72h"], { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^rate {4}60 readings\/s at \d\.\d+ B each, .* a day \(from blocks of the last 9 minutes of running\)$/m,
    );
    expect(stdout).toMatch(/^needed {2}\d+\.\d MB for 15,552,000 readings$/m);
    expect(stdout).toMatch(
      /^room {4}.* of the quota of 10240 MiB \(log\.quotaMiB by default: no configuration of this log found\)$/m,
    );
    expect(stdout).toMatch(/^An outage of 72 h fits: every reading is kept\.$/m);
  });

  test("does not fit: when it is full, how many are thinned, and the key that would keep all, which then does", async () => {
    const { folder, log } = await shop(quotaOf(64));
    log.close();
    const long = await runCli(["log", "simulate-outage", "35d"], { cwd: folder });
    expect(long.code).toBe(1);
    expect(long.stdout).toMatch(/of the quota of 64 MiB \(log\.quotaMiB of .*tailstock\.yaml\)$/m);
    expect(long.stdout).toMatch(/^An outage of 840 h does not fit\.$/m);
    expect(long.stdout).toMatch(/^The room is used up after \d+ d; .* one-minute aggregates, about [\d,]+ of them\.$/m);
    const quota = /^To keep all of them: log\.quotaMiB: (\d+)$/m.exec(long.stdout)?.[1];
    writeFileSync(join(folder, "tailstock.yaml"), quotaOf(Number(quota)));
    expect((await runCli(["log", "simulate-outage", "35d"], { cwd: folder })).code).toBe(0);
    const aged = await runCli(["log", "simulate-outage", "41d", "--json"], { cwd: folder });
    expect(aged.code).toBe(1);
    expect(JSON.parse(aged.stdout)).toMatchObject({
      configPath: join(folder, "tailstock.yaml"),
      present: { readingsPerS: RATE, maxAgeMs: 40 * 86_400_000, quotaBytes: Number(quota) * 2 ** 20 },
      outage: { fits: false, expiredReadings: RATE * 86_400, durationMs: 41 * 86_400_000 },
    });
  });

  test("no duration, an empty log", async () => {
    const folder = temporaryFolder();
    openLog({ path: join(folder, "data", "tailstock.db"), clock: new ManualClock() }).close();
    expect((await runCli(["log", "simulate-outage", "three days"], { cwd: folder })).code).toBe(2);
    const { code, stderr } = await runCli(["log", "simulate-outage", "3d"], { cwd: folder });
    expect(code).toBe(1);
    expect(stderr).toContain("too few readings");
  });
});

describe("P03 log usage, and its short form in status", () => {
  test("as text", async () => {
    const { folder, log, clock } = await shop(quotaOf(100));
    await fillRounds(log, clock, { rounds: 7, signals: 20 });
    log.close();
    const { code, stdout } = await runCli(["log", "usage"], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^used +.*B, [\d.]+ % of the quota$/m);
    expect(stdout).toMatch(/^quota +100 MiB \(log\.quotaMiB of .*tailstock\.yaml\)$/m);
    expect(stdout).toMatch(/^blocks +30 whole, 0 thinned$/m);
    expect(stdout).toMatch(/^to be sealed +420 readings in 7 commits since \d{4}-/m);
    expect(stdout).toMatch(/^ +21 +420 {2}not sealed yet\n +1,860 +36,000 {2}whole, in blocks$/m);
    const status = await runCli(["status"], { cwd: folder });
    expect(status.stdout).toMatch(/^room +[\d.]+ % of 100 MiB used; 60 readings\/s at [\d.]+ B; full (in|never).*$/m);
  });

  test("as JSON", async () => {
    const { folder, path, log } = await shop();
    log.close();
    const { stdout } = await runCli(["log", "usage", "--json"], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({
      path,
      configPath: null,
      forecast: { readingsPerS: RATE, quotaBytes: 10 * 2 ** 30 },
      epochs: [{ cause: "created" }],
      states: [{ state: "sealed", events: 1_860, readings: 36_000 }],
    });
    const status = JSON.parse((await runCli(["status", "--json"], { cwd: folder })).stdout);
    expect(status).toMatchObject({ log: { events: 1_860, forecast: { readingsPerS: RATE } } });
  });
});
