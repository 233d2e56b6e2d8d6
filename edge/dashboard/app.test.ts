import { connect } from "node:net";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import { EdgeError } from "../kernel/errors.ts";
import { StatusCode } from "../kernel/status-code.ts";
import { openLogReader } from "../log/reader.ts";
import { createDashboard } from "./app.ts";
import { DashboardComponent } from "./component.ts";
import type { Floor, MachineDetail } from "./schemas/views.ts";
import { FactoryLog } from "./testing/factory-log.ts";
import { SseReader } from "./testing/sse-reader.ts";

const MILL = "redmond/mill-07";
const PRESS = "redmond/press-01";
const logger = pino({ level: "silent" });
let factory: FactoryLog;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  factory = new FactoryLog();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  factory.close();
});

function dashboard() {
  // A reader of its own on the same file, as a dashboard in another process has.
  const log = openLogReader(factory.log.path);
  const app = createDashboard({ log, site: "redmond", clock: factory.clock, logger, webRoot: "/nowhere" });
  cleanups.push(
    () => log.close(),
    () => app.close(),
  );
  return app;
}

async function listening() {
  const app = dashboard();
  await app.listen({ host: "127.0.0.1", port: 0 });
  const address = app.server.address();
  if (typeof address !== "object" || !address) throw new Error("no address");
  return { app, port: address.port, url: `http://127.0.0.1:${address.port}` };
}

async function floorOf(app: ReturnType<typeof dashboard>): Promise<Floor> {
  return (await app.inject("/api/floor")).json();
}

async function eventually<T>(read: () => Promise<T>, condition: (value: T) => boolean, timeoutMs = 5_000): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  for (;;) {
    const value = await read();
    if (condition(value)) return value;
    if (timeout.aborted) throw new Error(`still ${JSON.stringify(value).slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("the floor shows what is in the log: machines, key values, quality, state and link", async () => {
  await factory.append(
    factory.machine(MILL, [
      { name: "speed", title: "Spindle speed", unit: "rpm", key: true },
      { name: "load", unit: "%" },
      { name: "total", type: "uint64" },
    ]),
    factory.connection([MILL]),
    factory.telemetry(MILL, { speed: 8_123.5, load: 41.25, total: 18_446_744_073_709_551_615n }),
    factory.telemetry(MILL, { load: null }, StatusCode.BadSensorFailure),
    { type: "state", machineId: MILL, timeMs: 1_700_000_000_000, data: { state: "running" } },
  );
  const app = dashboard();
  const { site, machines } = await floorOf(app);
  expect(site).toBe("redmond");
  expect(machines).toHaveLength(1);
  expect(machines[0]).toMatchObject({
    machineId: MILL,
    name: "mill-07",
    typeName: "cnc-mill",
    state: "running",
    stateSinceMs: 1_700_000_000_000,
    good: 2,
    uncertain: 0,
    bad: 1,
    waiting: 0,
    link: { state: "connected" },
    keys: [{ name: "speed", title: "Spindle speed", unit: "rpm", value: 8_123.5, statusCode: 0, polled: false }],
  });
  for (const path of ["/api/machines/redmond%2Fmill-07", "/api/machines/redmond/mill-07"]) {
    const detail: MachineDetail = (await app.inject(path)).json();
    const byName = new Map(detail.signals.map((signal) => [signal.name, signal]));
    expect(byName.get("total")?.value, path).toBe("18446744073709551615");
    expect(byName.get("load")).toMatchObject({
      value: null,
      goodValue: 41.25,
      statusCode: StatusCode.BadSensorFailure,
    });
  }
  const missing = await app.inject("/api/machines/redmond/lathe-99");
  expect(missing.statusCode).toBe(404);
  expect(missing.json().error.message).toContain("lathe-99");
});

test("what JSON has no word for is said in text, also inside an array", async () => {
  await factory.append(
    factory.machine(MILL, [{ name: "axes" }, { name: "a" }, { name: "b" }]),
    factory.telemetry(MILL, { axes: [1.5, Number.NaN, 3n], a: Number.NaN, b: Number.NEGATIVE_INFINITY }),
  );
  const detail: MachineDetail = (await dashboard().inject("/api/machines/redmond/mill-07")).json();
  expect(detail.signals.map(({ value }) => value)).toEqual([[1.5, "NaN", "3"], "NaN", "-Infinity"]);
});

test("after a start the past is known as if it had been followed, also a value that has long not changed", async () => {
  await factory.append(factory.machine(MILL, [{ name: "program", type: "string" }, { name: "speed" }]));
  await factory.append(
    factory.telemetry(MILL, { program: "O4711" }),
    factory.connection([MILL], { state: "connecting" }),
  );
  for (let batch = 0; batch < 6; batch++) {
    await factory.append(
      ...Array.from({ length: 200 }, (_, index) => factory.telemetry(MILL, { speed: batch * 1_000 + index })),
    );
  }
  await factory.append(factory.connection([MILL], { detail: "subscribed to 2 of 2 signals" }));
  const app = dashboard();
  const machine = await eventually(
    async () => (await app.inject("/api/machines/redmond/mill-07")).json() as MachineDetail,
    ({ waiting }) => waiting === 0,
  );
  expect(machine.signals.map(({ value }) => value)).toEqual(["O4711", 5_199]);
  const connections = (await app.inject("/api/connections")).json();
  expect(connections).toMatchObject([{ connectionId: "line-a", state: "connected", counters: { samples: 4_711 } }]);
});

test("a removed machine leaves the floor, a changed one loses the signals that it no longer has", async () => {
  await factory.append(
    factory.machine(MILL, [{ name: "speed", key: true }, { name: "old" }]),
    factory.machine(PRESS, [{ name: "force" }]),
    factory.telemetry(MILL, { speed: 1, old: 2 }),
    factory.telemetry(PRESS, { force: 3 }),
  );
  const app = dashboard();
  expect((await floorOf(app)).machines).toHaveLength(2);
  await factory.append(factory.machine(MILL, [{ name: "speed", key: true }]), {
    type: "config",
    machineId: PRESS,
    timeMs: factory.clock.nowMs(),
    data: { kind: "removed" },
  });
  await eventually(
    () => floorOf(app),
    ({ machines }) => machines.length === 1 && machines[0]?.good === 1,
  );
});

test("P27 a trend is thinned on the server: bounded points, spikes kept, breaks shown, other requests answered meanwhile", async () => {
  const signals = Array.from({ length: 20 }, (_, index) => ({ name: `s${index}` }));
  factory.shiftMs = -8 * 3_600_000;
  await factory.append(factory.machine(MILL, signals), factory.connection([MILL]));
  const fromMs = factory.clock.nowMs();
  const seconds = 8 * 3_600;
  let batch: NewEvent[] = [];
  for (let second = 0; second < seconds; second += 2) {
    factory.shiftMs = fromMs + second * 1_000 - Date.now();
    const wave = 100 + Math.sin(second / 900) * 10;
    const values = Object.fromEntries(signals.map(({ name }, index) => [name, wave + index]));
    // One sample of 14,400 is a spike; for ten minutes the second signal is Bad.
    if (second === 14_446) values.s0 = 999;
    batch.push(factory.telemetry(MILL, values));
    if (second === 24_000) {
      batch.push({
        type: "gap" as const,
        machineId: MILL,
        timeMs: factory.clock.nowMs(),
        data: {
          cause: "overflow" as const,
          samples: 37,
          fromMs: 1,
          toMs: factory.clock.nowMs(),
          detail: "the disk was full",
        },
      });
    }
    if (second === 20_000) batch.push(factory.telemetry(MILL, { s1: null }, StatusCode.BadNotConnected));
    if (batch.length === 1_500) {
      await factory.append(...batch);
      batch = [];
    }
  }
  await factory.append(...batch);
  factory.shiftMs = 0;
  const { url } = await listening();
  const query = `signals=s0,s1&fromMs=${fromMs}&toMs=${fromMs + seconds * 1_000}&points=900`;
  const path = `${url}/api/machines/redmond/mill-07/trend?${query}`;
  // The first request of a process loads the client itself.
  await (await fetch(`${url}/api/machines/redmond/mill-07/trend?signals=s2&points=10`)).json();
  const order: string[] = [];
  let worstMs = 0;
  let previousMs = performance.now();
  const ticker = setInterval(() => {
    worstMs = Math.max(worstMs, performance.now() - previousMs);
    previousMs = performance.now();
  }, 1);
  const startedMs = performance.now();
  const trend = fetch(path).then(async (response) => {
    const answer = await response.json();
    order.push("trend");
    return answer;
  });
  const health = fetch(`${url}/api/health`).then(() => order.push("health"));
  const [answer] = await Promise.all([trend, health]);
  clearInterval(ticker);
  console.log(
    `8 h trend of 14,400 events with 20 signals: ${Math.round(performance.now() - startedMs)} ms, event loop held at most ${worstMs.toFixed(1)} ms`,
  );
  // A request that comes after does not wait for the end of the long read.
  expect(order).toEqual(["health", "trend"]);
  const [first, second] = answer.signals as { name: string; timesMs: number[]; values: (number | null)[] }[];
  expect(first?.timesMs.length).toBeGreaterThan(500);
  expect(first?.timesMs.length).toBeLessThanOrEqual(900);
  expect(Math.max(...(first?.values ?? []).map(Number))).toBe(999);
  expect(first?.timesMs.every((timeMs, index, all) => index === 0 || timeMs >= (all[index - 1] as number))).toBe(true);
  expect(second?.values).toContain(null);
  expect(second?.values).not.toContain(0);
  // The first signal breaks once, where samples were lost; the second breaks there and where it was Bad.
  const breaks = (values: readonly (number | null)[] | undefined) => values?.filter((value) => value === null).length;
  expect([breaks(first?.values), breaks(second?.values)]).toEqual([1, 2]);
  expect(await (await fetch(`${url}/api/machines/redmond/mill-07`)).json()).toMatchObject({
    lastGap: { samples: 37, detail: "the disk was full" },
  });
  const refusals = [
    ["signals=s0,s1,s2,s3,s4,s5,s6,s7,s8", 400],
    ["signals=nothere", 404],
    ["signals=s0&points=2001", 400],
    ["signals=s0&fromMs=5&toMs=4", 400],
    ["signals=s0&fromMs=NaN", 400],
  ] as const;
  for (const [wrong, status] of refusals) {
    const refused = await fetch(`${url}/api/machines/redmond/mill-07/trend?${wrong}`);
    expect([wrong, refused.status]).toEqual([wrong, status]);
    expect((await refused.json()).error.message).toBeTypeOf("string");
  }
});

test("events are answered as they are stored, per machine and after an offset, in bounded answers", async () => {
  await factory.append(factory.machine(MILL, [{ name: "speed" }]), factory.machine(PRESS, [{ name: "force" }]));
  const middle = await factory.append(factory.telemetry(MILL, { speed: 1 }), factory.telemetry(PRESS, { force: 2 }));
  await factory.append(factory.telemetry(PRESS, { force: 3 }), factory.telemetry(MILL, { speed: 4n }));
  const app = dashboard();
  const values = async (query: string) =>
    (await app.inject(`/api/events?${query}`))
      .json()
      .events.map((event: { data: { samples?: { value: unknown }[] } }) => event.data.samples?.[0]?.value ?? "config");
  expect(await values(`afterOffset=${middle}`)).toEqual([3, "4"]);
  expect(await values(`machineId=${MILL}&afterOffset=${middle}`)).toEqual(["4"]);
  expect(await values(`machineId=${PRESS}&afterOffset=0&types=telemetry`)).toEqual([2, 3]);
  expect(await values("afterOffset=0&types=config")).toEqual(["config", "config"]);
  expect((await app.inject("/api/events?limit=501")).statusCode).toBe(400);
  expect((await app.inject("/api/events?types=nonsense")).statusCode).toBe(400);
});

test("the live stream sends each sample of a machine in order, and resumes after the last event that was heard", async () => {
  await factory.append(
    factory.machine(MILL, [{ name: "speed" }]),
    factory.machine(PRESS, [{ name: "force" }]),
    factory.telemetry(MILL, { speed: 10 }),
  );
  const { url } = await listening();
  const stream = await SseReader.open(`${url}/api/stream?machine=${encodeURIComponent(MILL)}`);
  await stream.until(() => stream.messages.length > 0, "hello");
  expect(stream.messages[0]).toMatchObject({ event: "hello", data: { site: "redmond", epoch: factory.log.epoch } });
  for (const speed of [11, 12, 13]) {
    await factory.append(factory.telemetry(MILL, { speed }), factory.telemetry(PRESS, { force: speed * 2 }));
  }
  await stream.until(() => stream.samplesOf(MILL, "speed").length === 3, "three samples");
  expect(stream.samplesOf(MILL, "speed").map(([, value]) => value)).toEqual([11, 12, 13]);
  expect(stream.samplesOf(PRESS, "force")).toEqual([]);
  const lastId = stream.messages.at(-1)?.id ?? "";
  stream.close();
  await factory.append(factory.telemetry(MILL, { speed: 14 }), factory.connection([MILL], { state: "degraded" }));
  const resumed = await SseReader.open(`${url}/api/stream`, { "last-event-id": lastId });
  await resumed.until(() => resumed.samplesOf(MILL, "speed").length > 0, "what was missed");
  expect(resumed.samplesOf(MILL, "speed").map(([, value]) => value)).toEqual([14]);
  await resumed.until(() => resumed.messages.some(({ event }) => event === "connection"), "the connection");
  resumed.close();
});

test("on the overview a burst is joined to the latest value of each signal", async () => {
  await factory.append(factory.machine(MILL, [{ name: "speed", key: true }, { name: "load" }]));
  const { url } = await listening();
  const stream = await SseReader.open(`${url}/api/stream?keys=true`);
  await stream.until(() => stream.messages.length > 0, "hello");
  await factory.append(
    ...Array.from({ length: 300 }, (_, index) => factory.telemetry(MILL, { speed: index, load: index })),
  );
  await stream.until(() => stream.samplesOf(MILL, "speed").some(([, value]) => value === 299), "the last value");
  expect(stream.samplesOf(MILL, "speed").length).toBeLessThan(100);
  expect(stream.samplesOf(MILL, "load")).toEqual([]);
  stream.close();
});

test("a page that takes nothing is dropped with a reason, and the others go on", async () => {
  const text = "x".repeat(2_000);
  const names = Array.from({ length: 1_000 }, (_, index) => `s${index}`);
  await factory.append(
    factory.machine(
      MILL,
      names.map((name) => ({ name, type: "string" })),
    ),
  );
  const { app, port, url } = await listening();
  const socket = connect(port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  socket.pause();
  socket.write(`GET /api/stream?machine=${encodeURIComponent(MILL)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  const other = await SseReader.open(`${url}/api/stream?keys=true`);
  await eventually(
    async () => (await app.inject("/api/health")).json(),
    ({ clients }) => clients === 2,
  );
  for (let round = 0; round < 50; round++) {
    await factory.append(factory.telemetry(MILL, Object.fromEntries(names.map((name) => [name, `${round} ${text}`]))));
    // The socket's own buffers fill first; then what waits in ours is counted.
    if (round < 15) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const health = await eventually(
    async () => (await app.inject("/api/health")).json(),
    ({ droppedClients }) => droppedClients === 1,
  );
  expect(health).toMatchObject({ clients: 1, lastDropReason: "more than 20000 samples waited for it" });
  await other.until(
    () => other.samplesOf(MILL, "s0").some(([, value]) => String(value).startsWith("49 ")),
    "the last round",
  );
  other.close();
});

test("security headers on every answer, no CORS, and no answer to a name that is not this computer's", async () => {
  const app = dashboard();
  for (const path of ["/", "/api/floor", "/api/nothing", "/../../etc/passwd"]) {
    const { headers } = await app.inject({ url: path, headers: { origin: "http://evil.example" } });
    expect(headers["content-security-policy"], path).toContain("default-src 'none'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["x-frame-options"]).toBe("DENY");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
  for (const host of [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
  ]) {
    const refused = await app.inject({ url: "/api/floor", headers: { host } });
    expect([host, refused.statusCode]).toEqual([host, 421]);
    expect(refused.body).not.toContain("machines");
  }
  for (const host of ["localhost:8080", "127.0.0.1", "[::1]:9000"]) {
    expect((await app.inject({ url: "/api/floor", headers: { host } })).statusCode).toBe(200);
  }
});

test("OpenAPI describes every route", async () => {
  const { paths } = (await dashboard().inject("/api/openapi.json")).json();
  expect(Object.keys(paths).sort()).toEqual([
    "/api/connections",
    "/api/events",
    "/api/floor",
    "/api/health",
    "/api/machines",
    "/api/machines/{id}",
    "/api/machines/{site}/{machine}",
    "/api/machines/{site}/{machine}/trend",
    "/api/stream",
  ]);
});

function component(host: string, port: number): DashboardComponent {
  return new DashboardComponent({
    log: factory.log,
    site: "redmond",
    clock: factory.clock,
    logger,
    webRoot: "/nowhere",
    host,
    port,
  });
}

test("a port that is taken and a host that others can reach are refused with what to do", async () => {
  const { port } = await listening();
  const taken = await component("127.0.0.1", port)
    .run(new AbortController().signal, () => undefined)
    .catch((error) => error);
  expect(taken).toBeInstanceOf(EdgeError);
  expect(taken).toMatchObject({ code: "PORT_IN_USE" });
  expect(taken.hint).toContain("dashboard.port");
  const open = await component("0.0.0.0", 0)
    .run(new AbortController().signal, () => undefined)
    .catch((error) => error);
  expect(open).toMatchObject({ code: "CONFIG_INVALID" });
  expect(open.hint).toContain("127.0.0.1");
});

test("ends within a second while streams are open", async () => {
  const ending = new AbortController();
  const dashboardComponent = component("127.0.0.1", 0);
  let ended: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    ended = dashboardComponent.run(ending.signal, resolve);
    ended.catch(reject);
  });
  const streams = await Promise.all([1, 2, 3].map(() => SseReader.open(`${dashboardComponent.address}/api/stream`)));
  const startedMs = performance.now();
  ending.abort();
  await ended;
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  for (const stream of streams) await stream.until(() => stream.ended, "the end of the stream");
  expect(streams[0]?.messages.at(-1)).toMatchObject({
    event: "dropped",
    data: { reason: "the dashboard is stopping" },
  });
});
