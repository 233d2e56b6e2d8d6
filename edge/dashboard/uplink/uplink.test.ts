import { afterEach, beforeEach, expect, test } from "vitest";
import { CURSOR_BY_LANE, type UplinkStatus } from "../../../cloud-sync/uplink/ports.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { Uplink } from "../schemas/uplink.ts";
import type { FactoryLog } from "../testing/factory-log.ts";
import { SseReader } from "../testing/sse-reader.ts";
import { MILL, TestSite } from "../testing/test-site.ts";
import { cutStatus, uplinkStatus } from "../testing/uplink-status.ts";

let site: TestSite;
let factory: FactoryLog;
let status: UplinkStatus | undefined;
const options = {
  bounds: { quotaBytes: 100 * 2 ** 20, forwardedBy: CURSOR_BY_LANE.telemetry },
  uplink: { isConfigured: () => true, status: () => status },
};

beforeEach(async () => {
  site = new TestSite();
  factory = site.factory;
  status = undefined;
  factory.shiftMs = -60_000;
  await factory.append(
    factory.machine(MILL, [{ name: "speed", key: true }, { name: "load" }]),
    factory.connection([MILL]),
  );
  for (; factory.shiftMs < 0; factory.shiftMs += 1_000) {
    await factory.append(factory.telemetry(MILL, { speed: factory.shiftMs, load: 40 }));
  }
});
afterEach(() => site.close());

async function uplinkOf(app: ReturnType<TestSite["dashboard"]>): Promise<Uplink> {
  const answer = await app.inject("/api/uplink");
  expect(answer.statusCode).toBe(200);
  return answer.json();
}

test("without an uplink the dashboard says so, and one that has not spoken yet is told from it", async () => {
  expect(await uplinkOf(site.dashboard())).toEqual({ configured: false, uplink: null });
  expect(await uplinkOf(site.dashboard(options))).toEqual({ configured: true, uplink: null });
});

test("a cut line: since when, why, what waits in the log, and for how long there is room", async () => {
  const nowMs = factory.clock.nowMs();
  status = cutStatus(nowMs, nowMs - 30_000);
  // The hub has everything but the last ten seconds.
  factory.log.saveCursor(CURSOR_BY_LANE.telemetry, factory.log.head() - 10);
  const { uplink } = await uplinkOf(site.dashboard(options));
  expect(uplink).toMatchObject({
    condition: "cut",
    level: "warn",
    sinceMs: nowMs - 30_000,
    waiting: { events: 10, readings: 20 },
    lastError: { code: "UPLINK_UNREACHABLE", hint: "Check the network cable or the modem." },
    lanes: { telemetry: { backlogEvents: 70, eventsPerSecond: 0 } },
    today: { messages: 1_248, units: 1_390, bytes: 4_300_000, unitsMax: 400_000 },
  });
  expect(uplink?.room.readingsPerSecond).toBeCloseTo(2, 0);
  expect(uplink?.room.timeToFullMs).toBeGreaterThan(24 * 3_600_000);
  expect(uplink?.room.limitBytes).toBe(100 * 2 ** 20);
});

test("the live stream tells each change of it, and a page that comes later hears the newest word", async () => {
  status = uplinkStatus(factory.clock.nowMs());
  const { url } = await site.listening(options);
  const first = await SseReader.open(`${url}/api/stream?keys=true`);
  const told = (stream: SseReader) =>
    stream.messages.filter(({ event }) => event === "uplink").map(({ data }) => (data as unknown as Uplink).uplink);
  await first.until(() => told(first).length > 0, "the first word");
  expect(told(first)[0]?.condition).toBe("sending");
  status = cutStatus(factory.clock.nowMs(), factory.clock.nowMs());
  await first.until(() => told(first).at(-1)?.condition === "cut", "the cut");
  const second = await SseReader.open(`${url}/api/stream?keys=true`);
  await second.until(() => told(second).at(-1)?.condition === "cut", "the newest word");
  first.close();
  second.close();
});

test("while its file can't be read, the uplink is not known, and the dashboard goes on", async () => {
  const failing = {
    isConfigured: () => true,
    status: () => {
      throw new EdgeError("LOG_UNAVAILABLE", "locked");
    },
  };
  const app = site.dashboard({ ...options, uplink: failing });
  expect(await uplinkOf(app)).toEqual({ configured: true, uplink: null });
  expect((await app.inject("/api/floor")).statusCode).toBe(200);
});

/** Samples of the text format, by name and labels. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test("/metrics has the line, both lanes, the log, the connections and the process, and leaves out what is not known", async () => {
  const nowMs = factory.clock.nowMs();
  status = { ...cutStatus(nowMs, nowMs - 30_000), deadLetters: 3 };
  factory.log.saveCursor(CURSOR_BY_LANE.telemetry, factory.log.head() - 10);
  const app = site.dashboard(options);
  const answer = await app.inject("/metrics");
  expect(answer.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  for (const line of answer.body.split("\n").filter((each) => each !== "")) {
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"\\]*",?)+\})? \S+)$/);
  }
  const samples = samplesOf(answer.body);
  expect(
    Object.fromEntries([...samples].filter(([name]) => name.startsWith("tailstock_uplink_condition"))),
  ).toMatchObject({
    'tailstock_uplink_condition{condition="cut"}': 1,
    'tailstock_uplink_condition{condition="sending"}': 0,
  });
  expect(samples.get('tailstock_uplink_lag_events{lane="telemetry"}')).toBe(70);
  expect(samples.get('tailstock_uplink_lag_seconds{lane="priority"}')).toBe(30);
  expect(samples.has('tailstock_uplink_drain_seconds{lane="telemetry"}')).toBe(false);
  expect(samples.get("tailstock_uplink_units_today")).toBe(1_390);
  expect(samples.get("tailstock_uplink_dead_letters")).toBe(3);
  expect(answer.body).toContain("# TYPE tailstock_uplink_bytes_total counter");
  expect(samples.get('tailstock_uplink_bytes_total{lane="telemetry"}')).toBe(30_000);
  expect(samples.get("tailstock_log_waiting_readings")).toBe(20);
  expect(samples.get("tailstock_log_limit_bytes")).toBe(100 * 2 ** 20);
  expect(samples.get('tailstock_connections{state="connected"}')).toBe(1);
  expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(1e7);
  status = uplinkStatus(nowMs);
  const later = samplesOf((await app.inject("/metrics")).body);
  expect(later.get('tailstock_uplink_condition{condition="cut"}')).toBe(0);
  expect(later.get("tailstock_uplink_dead_letters")).toBe(0);
  expect(later.get('tailstock_uplink_messages_total{lane="priority"}')).toBe(20);
});
