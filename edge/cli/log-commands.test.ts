import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import type { NewEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { systemClock } from "../kernel/clock.ts";
import { StatusCode } from "../kernel/status-code.ts";
import type { EventLog } from "../log/event-log.ts";
import { openLog } from "../log/log.ts";
import { runCli, startCli, temporaryFolder } from "./testing.ts";

// status, machines and tail on real logs, with the program as a child process.
function sample(signal: string, value: TelemetrySample["value"], timeMs: number, statusCode = 0): TelemetrySample {
  return { signal, value, statusCode, sourceTimestampMs: timeMs, serverTimestampMs: null, receivedTimestampMs: timeMs };
}

function telemetry(machineId: string, timeMs: number, samples: readonly TelemetrySample[]): NewEvent {
  return { type: "telemetry", machineId, timeMs, data: { samples } };
}

function config(machineId: string, connectionId: string, timeMs: number): NewEvent {
  const signal = { title: "", key: true, type: "float64", intervalMs: 1_000 };
  const signals = [
    { ...signal, name: "speed", unit: "rpm" },
    { ...signal, name: "load", unit: "%" },
  ];
  return { type: "config", machineId, timeMs, data: { kind: "machine", typeName: "cnc-mill", connectionId, signals } };
}

async function fill(folder: string, nowMs: number): Promise<EventLog> {
  const log = openLog({ path: join(folder, "data", "tailstock.db"), clock: systemClock });
  const connection = { protocol: "opcua", counters: {}, problems: [] } as const;
  await log.append(
    [
      config("redmond/mill-01", "line-a", nowMs - 60_000),
      config("redmond/mill-02", "line-b", nowMs - 60_000),
      telemetry("redmond/mill-01", nowMs - 3_000, [
        sample("speed", 1200.5, nowMs - 3_000),
        sample("load", 31, nowMs - 3_000),
      ]),
      telemetry("redmond/mill-01", nowMs - 2_000, [sample("speed", 1300.25, nowMs - 2_000)]),
      telemetry("redmond/mill-02", nowMs - 1_500, [sample("speed", null, nowMs - 1_500, StatusCode.BadNodeIdUnknown)]),
      {
        type: "connection",
        machineId: "redmond/edge",
        timeMs: nowMs - 1_000,
        data: {
          ...connection,
          connectionId: "line-a",
          address: "opc.tcp://10.0.0.1:4840",
          state: "connected",
          detail: "subscribed to 2 of 2 signals",
          hint: null,
          machineIds: ["redmond/mill-01"],
        },
      },
      {
        type: "connection",
        machineId: "redmond/edge",
        timeMs: nowMs - 900,
        data: {
          ...connection,
          connectionId: "line-b",
          address: "opc.tcp://10.0.0.2:4840",
          state: "disconnected",
          detail: "nobody listens there",
          hint: "Check the cable.",
          machineIds: ["redmond/mill-02"],
        },
      },
    ],
    "now",
  );
  log.saveCursor("uplink", 3);
  return log;
}

describe("a log that nobody writes any more", () => {
  test("status says plainly that nothing runs, and how things were", async () => {
    const folder = temporaryFolder();
    (await fill(folder, Date.now() - 600_000)).close();
    const { code, stdout, stderr } = await runCli(["status"], { cwd: folder });
    expect(stderr).toBe("");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^runtime {2}NOT running \(last commit 10 min ago\)$/m);
    expect(stdout).toMatch(/^log +.*data\/tailstock\.db, .* 7 events$/m);
    expect(stdout).toMatch(
      /^connection line-b at opc\.tcp:\/\/10\.0\.0\.2:4840\n {2}disconnected: nobody listens there .*\n {2}Check the cable\.$/m,
    );
    expect(stdout).toMatch(/^redmond\/mill-01 +cnc-mill +2 +all good +10 min$/m);
    expect(stdout).toMatch(/^redmond\/mill-02 +cnc-mill +2 +1 bad, 0 uncertain +10 min$/m);
    expect(stdout).toMatch(/^uplink +3 +4$/m);
    expect(stdout).not.toContain("\u001b");
  });

  test("status --json is one document with the same facts", async () => {
    const folder = temporaryFolder();
    (await fill(folder, Date.now() - 600_000)).close();
    const { code, stdout } = await runCli(["--json", "status"], { cwd: folder });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      runtime: { state: "not-running", pid: null, dashboard: null },
      log: { head: 7 },
      connections: [
        { connectionId: "line-a", state: "connected", hint: null },
        { connectionId: "line-b", state: "disconnected", hint: "Check the cable." },
      ],
      machines: [
        { machineId: "redmond/mill-01", good: 2, bad: 0, signals: 2 },
        { machineId: "redmond/mill-02", good: 0, bad: 1, signals: 2 },
      ],
      cursors: [{ name: "uplink", offset: 3, behind: 4 }],
    });
  });

  test("machines shows the newest value of each signal, also one that came in an older event", async () => {
    const folder = temporaryFolder();
    (await fill(folder, Date.now())).close();
    const all = await runCli(["machines"], { cwd: folder });
    expect(all.stdout).toMatch(/^redmond\/mill-01 .* speed 1300\.25 rpm, load 31 %$/m);
    expect(all.stdout).toMatch(/^redmond\/mill-02 .* speed BadNodeIdUnknown, load –$/m);
    const one = await runCli(["machines", "mill-02", "--json"], { cwd: folder });
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toMatchObject({
      machineId: "redmond/mill-02",
      signals: [
        { name: "speed", unit: "rpm", value: null, status: "BadNodeIdUnknown" },
        { name: "load", status: null },
      ],
    });
    const none = await runCli(["machines", "mill-99"], { cwd: folder });
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("redmond/mill-01");
  });

  test("tail gives samples with unit and status, filtered by machine and signal, as JSON lines too", async () => {
    const folder = temporaryFolder();
    (await fill(folder, Date.now())).close();
    const plain = await runCli(["tail", "mill-01", "--signal", "speed", "--no-follow"], { cwd: folder });
    expect(
      plain.stdout
        .trim()
        .split("\n")
        .map((line) => line.replace(/^\S+ \S+ +/, "").replace(/ +/g, " ")),
    ).toEqual(["redmond/mill-01 speed 1200.5 rpm", "redmond/mill-01 speed 1300.25 rpm"]);
    const json = await runCli(["tail", "--no-follow", "--json", "--since", "1h", "--type", "telemetry"], {
      cwd: folder,
    });
    expect(
      json.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { type: "sample", machineId: "redmond/mill-01", signal: "speed", value: 1200.5, unit: "rpm", status: "Good" },
      { signal: "load", value: 31, unit: "%" },
      { signal: "speed", value: 1300.25 },
      { machineId: "redmond/mill-02", value: null, status: "BadNodeIdUnknown" },
    ]);
    const recent = await runCli(["tail", "--no-follow", "--json", "--since", "2500ms"], { cwd: folder });
    expect(recent.stdout).not.toContain("1200.5");
  });
});

describe("a log that is being written", () => {
  test("tail follows what another process appends, within a second, until Ctrl-C", async () => {
    const folder = temporaryFolder();
    const log = await fill(folder, Date.now());
    const tail = startCli(["tail", "mill-01", "--json"], { cwd: folder });
    await tail.untilPrinted(/1300\.25/);
    const appendedMs = Date.now();
    await log.append([telemetry("redmond/mill-01", appendedMs, [sample("speed", 1404.75, appendedMs)])], "now");
    await tail.untilPrinted(/1404\.75/, 1_000);
    tail.child.kill("SIGINT");
    const { code, stderr } = await tail.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    log.close();
  });

  test("status sees a running one by its fresh commits", async () => {
    const folder = temporaryFolder();
    const log = await fill(folder, Date.now());
    const { stdout } = await runCli(["status"], { cwd: folder });
    expect(stdout).toMatch(/^runtime {2}running \(last commit \d\.\d s ago\)$/m);
    log.close();
  });

  test("a reader that has seen enough (| head) ends tail without a word", async () => {
    const folder = temporaryFolder();
    const log = await fill(folder, Date.now());
    const tail = startCli(["tail", "--since", "1h"], { cwd: folder });
    await tail.untilPrinted(/mill-01/);
    tail.child.stdout?.destroy();
    const feeding = setInterval(() => {
      const nowMs = Date.now();
      void log.append([telemetry("redmond/mill-01", nowMs, [sample("speed", nowMs % 1000, nowMs)])], "now");
    }, 50);
    const { code, stderr } = await tail.ended;
    clearInterval(feeding);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    log.close();
  });
});

describe("a log that can't be used", () => {
  test("none anywhere: says where it looked and what to do", async () => {
    const folder = temporaryFolder();
    const { code, stderr, stdout } = await runCli(["status"], { cwd: folder });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(join(folder, "data", "tailstock.db"));
    expect(stderr).toContain(join(folder, "data", "demo", "tailstock.db"));
    expect(stderr).toContain("--log");
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test("the error is JSON with --json", async () => {
    const { code, stderr } = await runCli(["tail", "--json", "--log", "nowhere.db"], { cwd: temporaryFolder() });
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toEqual({
      error: { code: "LOG_UNAVAILABLE", message: expect.stringContaining("nowhere.db"), hint: expect.any(String) },
    });
  });

  test.each([
    ["text", "not a database, only some text that is longer than a header ".repeat(20), "is not a SQLite file"],
    ["garbage after the header", `SQLite format 3\u0000${"x".repeat(4_096)}`, "is not a SQLite file"],
  ])("%s: one sentence and no stack trace", async (_name, content, sentence) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "bad.db"), content);
    const { code, stderr } = await runCli(["status", "--log", "bad.db"], { cwd: folder });
    expect(code).toBe(1);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test("somebody else's SQLite file and a newer version's log are left as they are", async () => {
    const folder = temporaryFolder();
    const other = new Database(join(folder, "other.db"));
    other.exec("CREATE TABLE shopping (item TEXT)");
    other.close();
    expect((await runCli(["status", "--log", "other.db"], { cwd: folder })).stderr).toContain("not a Tailstock log");
    (await fill(folder, Date.now())).close();
    const newer = new Database(join(folder, "data", "tailstock.db"));
    newer.pragma("user_version = 999");
    newer.close();
    const { code, stderr } = await runCli(["machines"], { cwd: folder });
    expect(code).toBe(1);
    expect(stderr).toMatch(/has version 999; this Tailstock knows versions up to \d+\n {2}Update Tailstock/);
  });

  test("an empty folder named by --data, and an empty file", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "d"));
    expect((await runCli(["status", "--data", "d"], { cwd: folder })).stderr).toContain(
      join(folder, "d", "tailstock.db"),
    );
    writeFileSync(join(folder, "d", "tailstock.db"), "");
    expect((await runCli(["status", "--data", "d"], { cwd: folder })).stderr).toContain("still empty");
  });
});
