import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CURSOR_BY_LANE, type UplinkStatus } from "../../cloud-sync/uplink/ports.ts";
import { uplinkStatePathOf } from "../../cloud-sync/uplink/state/schema.ts";
import { openUplinkState, type UplinkState } from "../../cloud-sync/uplink/state/uplink-state.ts";
import { filledLog } from "../../test/support/filled-log.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { cutStatus, uplinkStatus } from "../dashboard/testing/uplink-status.ts";
import { systemClock } from "../kernel/clock.ts";
import { openLog } from "../log/log.ts";
import { runCli, temporaryFolder } from "./testing.ts";

// tailstock uplink … on real files, with the program as a child process. The log gets 60 readings a second for ten minutes.
const YAML = `site: redmond
uplink: { connectionStringFile: hub.connection }
machines:
  mill-01:
    address: opc.tcp://127.0.0.1:4840
    signals: { speed: { node: "ns=2;s=Speed" } }
`;
const CONNECTION =
  "HostName=hub.azure-devices.net;DeviceId=box-7;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

let filled: string;
beforeAll(async () => {
  filled = join(mkdtempSync(join(tmpdir(), "tailstock-cli-")), "filled.db");
  const clock = new ManualClock(Date.now() - 700_000);
  const { log } = await filledLog(filled, { clock, rounds: 600, signals: 20, sealEvery: 60 });
  log.checkpoint();
  log.close();
});
afterAll(() => rmSync(dirname(filled), { recursive: true, force: true }));

/** A folder with that log, a configuration with an uplink, and what the uplink said of itself. */
function shop(status?: UplinkStatus, work: (state: UplinkState) => void = () => undefined) {
  const folder = temporaryFolder();
  const path = join(folder, "data", "tailstock.db");
  mkdirSync(dirname(path));
  copyFileSync(filled, path);
  writeFileSync(join(folder, "tailstock.yaml"), YAML);
  writeFileSync(join(folder, "hub.connection"), CONNECTION);
  if (status) {
    using state = openUplinkState(uplinkStatePathOf(path), pino({ level: "silent" }));
    state.saveStatus(status);
    work(state);
  }
  const tailstock = (...args: string[]) => runCli(args, { cwd: folder });
  return { folder, path, tailstock };
}

function acknowledge(path: string, leave: number): void {
  const log = openLog({ path, clock: systemClock });
  log.saveCursor(CURSOR_BY_LANE.telemetry, log.head() - leave);
  log.close();
}

describe("uplink status", () => {
  test("a line that is well", async () => {
    const { path, tailstock } = shop(uplinkStatus(Date.now()));
    acknowledge(path, 0);
    const { code, stdout, stderr } = await tailstock("uplink", "status");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^line +connected since \d{4}-/m);
    expect(stdout).toMatch(/^hub +hub\.azure-devices\.net as device box-7 \(SAS\)$/m);
    expect(stdout).toMatch(/^waiting +0 readings in 0 events$/m);
    expect(stdout).toMatch(/^kept +all is acknowledged; without a line there is room for \d+ d$/m);
    expect(stdout).toMatch(/^today +1,248 messages, 1,390 of 400,000 units of 4 KB, 4\.3 MB$/m);
    expect(stdout).toMatch(/^set aside +nothing$/m);
    expect(stdout).toMatch(/^telemetry +12 +4\.2 s +13 +1\.4 kB\/s +–$/m);
  });

  test("a line that is cut: since when, why, what to check, what waits; exit code 1, also of status", async () => {
    const nowMs = Date.now();
    const { path, tailstock } = shop(cutStatus(nowMs, nowMs - 240_000));
    acknowledge(path, 30);
    const { code, stdout } = await tailstock("uplink", "status");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^line +CUT since .* \(4 min\)$/m);
    expect(stdout).toMatch(/^kept +nothing is lost; without a line there is room for \d+ d$/m);
    expect(stdout).toMatch(/^last error +hub\.azure-devices\.net:8883 refuses connections \(UPLINK_UNREACHABLE, /m);
    expect(stdout).toMatch(/^ +Check the network cable or the modem\.$/m);
    const json = JSON.parse((await tailstock("uplink", "status", "--json")).stdout);
    expect(json).toMatchObject({ condition: "cut", level: "warn", status: { state: "waiting" } });
    expect(json.waiting.readings).toBeGreaterThan(500);
    const short = await tailstock("status");
    expect(short.stdout).toMatch(/^uplink +CUT since .*; \d+ readings wait$/m);
    expect(JSON.parse((await tailstock("status", "--json")).stdout).uplink).toMatchObject({ condition: "cut" });
  });

  test("an uplink that died without a word, one that never ran, and none", async () => {
    const dead = shop(uplinkStatus(Date.now() - 3_600_000));
    const silent = await dead.tailstock("uplink", "status");
    expect(silent.code).toBe(1);
    expect(silent.stdout).toMatch(/^line +NOT running: the uplink has said nothing since /m);
    const fresh = shop();
    const never = await fresh.tailstock("uplink", "status");
    expect(never.code).toBe(1);
    expect(never.stderr).toContain("has not reported yet");
    writeFileSync(join(fresh.folder, "tailstock.yaml"), YAML.replace(/^uplink.*\n/m, ""));
    const none = await fresh.tailstock("uplink", "status");
    expect(none.stderr).toContain("has no uplink");
    writeFileSync(join(dead.folder, "tailstock.yaml"), YAML.replace(/^uplink.*\n/m, ""));
    expect((await dead.tailstock("uplink", "status")).stderr).toContain("has no uplink");
    expect((await fresh.tailstock("status")).stdout).not.toContain("uplink");
  });
});

describe("P25 uplink bill", () => {
  test("for now: measured on the log's own readings, with each class, and what one message per reading would be", async () => {
    const { tailstock } = shop();
    const { code, stdout, stderr } = await tailstock("uplink", "bill");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^readings +60\/s, from the newest readings of the log, packed .* \(12 messages measured\)$/m,
    );
    expect(stdout).toMatch(/^messages +2\d,\d{3} a day, gathered for 5\.0 s each$/m);
    expect(stdout).toMatch(/^units +2\d,\d{3} of 4 KB a day$/m);
    expect(stdout).toMatch(/^S1 +1 +25 {2}the cheapest with commands from the cloud$/m);
    expect(stdout).toMatch(/^B1 +1 +10 {2}no commands, no IoT Edge$/m);
    expect(stdout).toMatch(/^F1 +too many +–$/m);
    expect(stdout).toMatch(
      /^One message per reading would be 5,184,000 messages a day: 13 S1 units, or 1 S2 unit for USD 250/m,
    );
    expect(stdout).toMatch(
      /US list prices a month as known in \w+ \d{4}, without tax: an order of magnitude, and no offer\./,
    );
    const slow = JSON.parse((await tailstock("uplink", "bill", "--latency", "30s", "--json")).stdout);
    expect(slow.parts[0]).toMatchObject({ what: "now", latencyMs: 30_000, cheapest: { name: "S1" } });
    // 2,880 of telemetry, and those of the states in between.
    expect(slow.parts[0].load.messages).toBeLessThan(12_000);
  });

  test("a log that is too short for the latency asked for is measured by a shorter one, which is said", async () => {
    const { tailstock } = shop();
    const { code, stdout } = await tailstock("uplink", "bill", "--latency", "1h");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /messages? measured, gathered for \d.* at most so much, for longer gathering packs better\)$/m,
    );
    expect(stdout).toMatch(/^messages .* gathered for 60 min each$/m);
  });

  test("what the uplink itself has counted goes before an estimate", async () => {
    const recent = { messages: 720, units: 1_440, bytes: 4_000_000, samples: 216_000, spanMs: 3_600_000 };
    const { tailstock } = shop(uplinkStatus(Date.now(), { recent }));
    const { parts } = JSON.parse((await tailstock("uplink", "bill", "--json")).stdout);
    expect(parts[0]).toMatchObject({
      basis: "what the uplink has sent in 60 min",
      readingsPerSecond: 60,
      load: { messages: 17_280, units: 34_560, bytes: 96_000_000 },
    });
  });

  test("for a configuration that is not applied: signals at their intervals, packed as this log's, or assumed without one", async () => {
    const { folder, tailstock } = shop();
    const signals = Array.from(
      { length: 100 },
      (_, n) => `      s${n}: { node: "ns=2;s=S${n}", samplingIntervalMs: ${n < 50 ? 500 : 2_000} }`,
    );
    writeFileSync(
      join(folder, "new.yaml"),
      `site: redmond\nlog: { path: other.db }\nmachines:\n  mill-01:\n    address: opc.tcp://127.0.0.1:4840\n    signals:\n${signals.join("\n")}\n`,
    );
    const { stdout } = await tailstock("uplink", "bill", "--config", "new.yaml", "--latency", "10s");
    expect(stdout).toMatch(/^now:$/m);
    expect(stdout).toMatch(/^with new\.yaml:$/m);
    expect(stdout).toMatch(
      /^readings +125\/s, from 100 signals at their intervals, .* B a reading, as this log's readings pack$/m,
    );
    const empty = temporaryFolder();
    copyFileSync(join(folder, "new.yaml"), join(empty, "new.yaml"));
    const assumed = await runCli(["uplink", "bill", "-c", "new.yaml"], { cwd: empty });
    expect(assumed.code).toBe(0);
    expect(assumed.stdout).toMatch(/4 B a reading, assumed, for there is no log to measure on$/m);
  });

  test("no log and no configuration; a latency that makes no sense", async () => {
    const empty = temporaryFolder();
    const none = await runCli(["uplink", "bill"], { cwd: empty });
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("no log found");
    const { tailstock } = shop();
    expect((await tailstock("uplink", "bill", "--latency", "2h")).code).toBe(2);
    expect((await tailstock("uplink", "bill", "--latency", "soon")).code).toBe(2);
  });
});

describe("P10 uplink dead-letters", () => {
  const body = Buffer.from("a message that the hub refuses");
  const letter = (id: string, bytes: Buffer) => ({
    message: { id, lane: "telemetry" as const, body: bytes, contentType: "x/y", properties: { site: "redmond" } },
    code: "UPLINK_REFUSED",
    reason: "too large for the hub",
    contents: ["redmond/mill-01 12–40", "redmond/mill-02 7", "redmond/mill-03 9–10"],
    attempts: 3,
    atMs: Date.now(),
  });
  const withLetters = () =>
    shop(uplinkStatus(Date.now(), { deadLetters: 2 }), (state) => {
      state.addDeadLetter(letter("first", body));
      state.addDeadLetter(letter("second", Buffer.alloc(0)));
    });

  test("list, with exit code 1 while there are some", async () => {
    const { tailstock } = withLetters();
    const { code, stdout } = await tailstock("uplink", "dead-letters", "list");
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^ 1 {2}\d{4}-.* {2}telemetry +30 B +3 {2}redmond\/mill-01 12–40, redmond\/mill-02 7 and 1 more {2}too large for the hub \(UPLINK_REFUSED\)$/m,
    );
    expect(JSON.parse((await tailstock("uplink", "dead-letters", "list", "--json")).stdout).deadLetters).toHaveLength(
      2,
    );
    const { code: of, stdout: line } = await tailstock("uplink", "status");
    expect([of, line.match(/^set aside .*$/m)?.[0]]).toEqual([
      1,
      "set aside     2 messages (see: tailstock uplink dead-letters list)",
    ]);
    const none = await shop().tailstock("uplink", "dead-letters", "list");
    expect([none.code, none.stdout]).toEqual([0, "nothing is set aside\n"]);
  });

  test("retry asks the uplink for those that are named, or for all", async () => {
    const { path, tailstock } = withLetters();
    const one = await tailstock("uplink", "dead-letters", "retry", "1");
    expect([one.code, one.stdout]).toEqual([0, expect.stringContaining("1 message will be tried again")]);
    using state = openUplinkState(uplinkStatePathOf(path), pino({ level: "silent" }));
    expect(state.wantedAgain().map(({ id, message }) => [id, message?.id])).toEqual([[1, "first"]]);
    expect((await tailstock("uplink", "dead-letters", "retry", "--all")).stdout).toContain("1 message will");
    const gone = await tailstock("uplink", "dead-letters", "retry", "9");
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining("no message 9 is set aside")]);
    expect((await tailstock("uplink", "dead-letters", "retry", "2")).stderr).toContain("only the description was kept");
    expect((await tailstock("uplink", "dead-letters", "retry")).code).toBe(2);
    expect((await tailstock("uplink", "dead-letters", "retry", "1", "--all")).code).toBe(2);
  });

  test("export writes the message and its properties, and overwrites nothing", async () => {
    const { folder, tailstock } = withLetters();
    expect((await tailstock("uplink", "dead-letters", "export", "1", "out.bin")).code).toBe(0);
    expect(readFileSync(join(folder, "out.bin"))).toEqual(body);
    expect(JSON.parse(readFileSync(join(folder, "out.bin.json"), "utf8"))).toEqual({
      id: "first",
      lane: "telemetry",
      contentType: "x/y",
      properties: { site: "redmond" },
    });
    const again = await tailstock("uplink", "dead-letters", "export", "1", "out.bin");
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("is there already")]);
    expect((await tailstock("uplink", "dead-letters", "export", "2", "two.bin")).code).toBe(2);
    expect(existsSync(join(folder, "two.bin"))).toBe(false);
  });
});
