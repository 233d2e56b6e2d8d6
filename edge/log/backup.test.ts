import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { compareLedgers } from "../../cloud-sync/contract/ledger.ts";
import { sampleOf, telemetryOf } from "../../test/support/events.ts";
import { everyEvent, filledLog, fillRounds, MACHINES } from "../../test/support/filled-log.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { backUpLog, restoreLog } from "./backup.ts";
import { openLog } from "./log.ts";
import { openLogReader } from "./reader.ts";
import { verifyLog } from "./verify.ts";

const child = join(import.meta.dirname, "..", "..", "test", "support", "log-writer-child.ts");

function eventsOf(path: string) {
  const log = openLogReader(path);
  try {
    return everyEvent(log);
  } finally {
    log.close();
  }
}

describe("P04 backup", () => {
  test("while another process appends: the copy is one moment of the log, proves, and is one file", async () => {
    const folder = tempFolder();
    const path = join(folder, "log.db");
    // Large enough that the copy takes several steps, with commits between them.
    (await filledLog(path, { rounds: 600, noiseBytes: 12_000, sealEvery: 30 })).log.close();
    const writer = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", child, path, "w"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let acknowledged = 0;
    writer.stdout.setEncoding("utf8").on("data", (text: string) => {
      acknowledged = Math.max(acknowledged, Number(text.trim().split("\n").at(-1)) || 0);
    });
    await once(writer.stdout, "data");
    const before = acknowledged;
    const shares: number[] = [];
    const target = join(folder, "backup.db");
    const own = openLog({ path, clock: new ManualClock() });
    const fail = vi.fn();
    const report = await backUpLog(path, target, (share, step) => {
      if (step !== "copy") return;
      shares.push(share);
      // Whatever the other process does: between two steps there is a commit, and the copy does not begin anew.
      own.append([telemetryOf("a/3", [sampleOf("x", shares.length)])], "now").catch(fail);
    });
    const atEnd = acknowledged;
    // Some more are acknowledged while nobody copies, so that the copy can be told from the log.
    while (acknowledged < atEnd + 20) await once(writer.stdout, "data");
    writer.kill("SIGKILL");
    await once(writer, "close");
    own.close();
    expect(fail).not.toHaveBeenCalled();
    expect(shares.length).toBeGreaterThan(2);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(report.faults).toEqual([]);
    const copy = eventsOf(target);
    const all = eventsOf(path);
    expect(copy.length).toBeLessThan(all.length);
    expect(copy).toEqual(all.slice(0, copy.length));
    const written = copy.filter(({ machineId }) => machineId === "a/1").length;
    expect(written).toBeGreaterThanOrEqual(before);
    expect(readdirSync(folder).filter((name) => name.startsWith("backup"))).toEqual(["backup.db"]);
  });

  test("the copy can be read from where nothing can be written, and leaves nothing beside it", async () => {
    const folder = tempFolder();
    const { log } = await filledLog(join(folder, "log.db"), { rounds: 30, sealEvery: 10 });
    const target = join(folder, "backup.db");
    await backUpLog(join(folder, "log.db"), target);
    chmodSync(target, 0o444);
    expect((await verifyLog(target)).faults).toEqual([]);
    expect(eventsOf(target)).toEqual(everyEvent(log));
    expect(readdirSync(folder).filter((name) => name.startsWith("backup"))).toEqual(["backup.db"]);
    log.close();
  });

  test("overwrites nothing, and leaves nothing when there is no log", async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, "mine.txt"), "mine");
    await expect(backUpLog(join(folder, "log.db"), join(folder, "mine.txt"))).rejects.toMatchObject({ code: "USAGE" });
    expect(readFileSync(join(folder, "mine.txt"), "utf8")).toBe("mine");
    await expect(backUpLog(join(folder, "log.db"), join(folder, "new.db"))).rejects.toMatchObject({
      code: "LOG_UNAVAILABLE",
    });
    expect(existsSync(join(folder, "new.db"))).toBe(false);
  });
});

describe("P04 restore", () => {
  test("the log goes on in a new epoch: no number is given out twice, no offset comes back, and the old file stays", async () => {
    const folder = tempFolder();
    const path = join(folder, "log.db");
    const clock = new ManualClock();
    const { log } = await filledLog(path, { clock, rounds: 25, sealEvery: 10 });
    const backup = join(folder, "backup.db");
    await backUpLog(path, backup);
    const backedUp = everyEvent(log);
    // After the backup the log gives out numbers that the backup does not know.
    await fillRounds(log, clock, { rounds: 15 });
    const before = everyEvent(log);
    const { epoch: oldEpoch } = log;
    log.close();
    const { epoch, setAside, report } = await restoreLog(backup, path, clock);
    expect(report.samples).toBe(3 * 20 * 5);
    expect(epoch).not.toBe(oldEpoch);
    expect(setAside[0]).toMatch(/log\.db\.replaced-\d{8}T\d{6}Z$/);
    expect(eventsOf(setAside[0] ?? "")).toEqual(before);

    const again = openLog({ path, clock });
    expect(everyEvent(again)).toEqual(backedUp);
    await fillRounds(again, clock, { rounds: 15, sealEvery: 4 });
    const after = everyEvent(again);
    expect(after.slice(0, backedUp.length)).toEqual(backedUp);
    const fresh = after.slice(backedUp.length);
    expect(new Set(fresh.map((event) => event.epoch))).toEqual(new Set([epoch]));
    // Seqs go on after those of the backup; with the epoch no identity is used twice.
    expect(fresh.find(({ machineId }) => machineId === MACHINES[1])?.seq).toBe(26);
    const identity = (event: { epoch: string; machineId: string; seq: number }): string =>
      `${event.epoch}/${event.machineId}/${event.seq}`;
    expect(new Set([...before, ...fresh].map(identity)).size).toBe(before.length + fresh.length);
    expect(Math.min(...fresh.map(({ offset }) => offset))).toBeGreaterThan(before.at(-1)?.offset ?? 0);
    again.close();
    expect((await verifyLog(path)).faults).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.includes("restoring"))).toEqual([]);
  });

  test("a backup that somebody has open, with a part of it in its write-ahead log, is restored whole", async () => {
    const folder = tempFolder();
    const { log, clock } = await filledLog(join(folder, "other.db"), { rounds: 12 });
    const { setAside } = await restoreLog(join(folder, "other.db"), join(folder, "log.db"), clock);
    expect(setAside).toEqual([]);
    expect(eventsOf(join(folder, "log.db"))).toEqual(everyEvent(log));
    log.close();
  });

  test("of two ledgers the comparison says what the restored one lacks", async () => {
    const folder = tempFolder();
    const path = join(folder, "log.db");
    const { log, clock } = await filledLog(path, { rounds: 20, sealEvery: 10 });
    await backUpLog(path, join(folder, "backup.db"));
    await fillRounds(log, clock, { rounds: 5 });
    log.close();
    const { setAside } = await restoreLog(join(folder, "backup.db"), path, clock);
    const [old, now] = [openLogReader(setAside[0] ?? ""), openLogReader(path)];
    const seqs = { kind: "missing", why: undefined, lastSeq: 25, firstSeq: 21 };
    expect(compareLedgers(old.ledger(), now.ledger())).toMatchObject([
      { ...seqs, machineId: MACHINES[0], firstSeq: 23, lastSeq: 27 },
      { ...seqs, machineId: MACHINES[1] },
      { ...seqs, machineId: MACHINES[2] },
    ]);
    old.close();
    now.close();
  });

  test("a backup that does not prove changes nothing", async () => {
    const folder = tempFolder();
    const path = join(folder, "log.db");
    const { log, clock } = await filledLog(path, { rounds: 30, sealEvery: 10 });
    log.close();
    const backup = join(folder, "backup.db");
    await backUpLog(path, backup);
    const bytes = readFileSync(backup);
    const at = bytes.indexOf("TSBK") + 100;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
    writeFileSync(backup, bytes);
    const before = readFileSync(path);
    await expect(restoreLog(backup, path, clock)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.startsWith("log.db.r"))).toEqual([]);
  });
});
