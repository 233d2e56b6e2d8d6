import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StatusCode } from "../kernel/status-code.ts";
import type { Floor, MachineDetail } from "./schemas/views.ts";
import type { FactoryLog } from "./testing/factory-log.ts";
import { SseReader } from "./testing/sse-reader.ts";
import { eventually, MILL, PRESS, TestSite } from "./testing/test-site.ts";

let site: TestSite;
let factory: FactoryLog;

beforeEach(() => {
  site = new TestSite();
  factory = site.factory;
});
afterEach(() => site.close());

test("the uplink's own connection events are none of a machine's connections", async () => {
  await factory.append(
    factory.machine(MILL, [{ name: "speed", key: true }]),
    factory.connection([MILL]),
    factory.connection([], { connectionId: "uplink", protocol: "iothub", state: "disconnected" }),
  );
  const connections = (await site.dashboard().inject("/api/connections")).json() as { connectionId: string }[];
  expect(connections.map(({ connectionId }) => connectionId)).toEqual(["line-a"]);
});

async function floorOf(app: ReturnType<TestSite["dashboard"]>): Promise<Floor> {
  return (await app.inject("/api/floor")).json();
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
  const app = site.dashboard();
  const floor = await floorOf(app);
  const { machines } = floor;
  expect(floor.site).toBe("redmond");
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
  const detail: MachineDetail = (await site.dashboard().inject("/api/machines/redmond/mill-07")).json();
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
  const app = site.dashboard();
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
  const app = site.dashboard();
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

test("events are answered as they are stored, per machine and after an offset, in bounded answers", async () => {
  await factory.append(factory.machine(MILL, [{ name: "speed" }]), factory.machine(PRESS, [{ name: "force" }]));
  const middle = await factory.append(factory.telemetry(MILL, { speed: 1 }), factory.telemetry(PRESS, { force: 2 }));
  await factory.append(factory.telemetry(PRESS, { force: 3 }), factory.telemetry(MILL, { speed: 4n }));
  const app = site.dashboard();
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
  const { url } = await site.listening();
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
  const { url } = await site.listening();
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
  const { app, port, url } = await site.listening();
  const socket = connect(port, "127.0.0.1");
  site.onClose(() => socket.destroy());
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
  // On a machine that is busy the time may be up before so much has been appended.
  const lastDropReason = expect.stringMatching(/^(more than 20000 samples waited for it|it took nothing for 15 s)$/);
  expect(health).toMatchObject({ clients: 1, lastDropReason });
  await other.until(
    () => other.samplesOf(MILL, "s0").some(([, value]) => String(value).startsWith("49 ")),
    "the last round",
  );
  other.close();
});

test("security headers on every answer, no CORS, and no answer to a name that is not this computer's", async () => {
  const app = site.dashboard();
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
  const { paths } = (await site.dashboard().inject("/api/openapi.json")).json();
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
    "/api/uplink",
    "/metrics",
  ]);
});
