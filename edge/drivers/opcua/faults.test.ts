import { MonitoringMode, ServiceFault, StatusCodes } from "node-opcua";
import { expect, test } from "vitest";
import { pause, until, watch } from "../../../test/contract/watch.ts";
import { TcpProxy } from "../../../test/support/tcp-proxy.ts";
import { StatusCode, severityOf } from "../../kernel/status-code.ts";
import { opcuaConnection, opcuaDriver, opcuaMachine, opcuaSignal } from "./testing/harness.ts";
import { MILLS, OTHER, TestServer } from "./testing/opcua-server.ts";

const VALUES: ReadonlyMap<string, number> = new Map([
  ["speed", 1_201],
  ["load", 32],
  ["temperature", 41],
]);
const MACHINES = [opcuaMachine([...VALUES.keys()].map((name) => opcuaSignal(name)))];
const good = (sample: { statusCode: number } | undefined): boolean =>
  sample !== undefined && severityOf(sample.statusCode) === "good";

interface ServerSubscription {
  readonly monitoredItems: ReadonlyMap<number, { setMonitoringMode(mode: MonitoringMode): void }>;
  /** Ends publishing and keep-alives, as a server does whose subscription thread hangs. */
  _stop_timer(): void;
}

/** The subscriptions that the server holds, to break them from its side. */
function subscriptionsOf(server: TestServer): ServerSubscription[] {
  type Engine = { _sessions: Record<string, { publishEngine: { subscriptions: ServerSubscription[] } }> };
  const engine = (server.server as unknown as { engine: Engine } | undefined)?.engine;
  return Object.values(engine?._sessions ?? {}).flatMap((session) => session.publishEngine.subscriptions);
}

/** The server keeps its subscriptions alive but samples nothing any more. */
function silence(server: TestServer): void {
  for (const subscription of subscriptionsOf(server)) {
    for (const item of subscription.monitoredItems.values()) item.setMonitoringMode(MonitoringMode.Disabled);
  }
}

test("P13 items that die in silence while keep-alives go on are found, told and subscribed anew", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await using seen = watch(driver);
  await until(() => [...VALUES.keys()].every((name) => good(seen.latest(name))), 5_000, "Good samples");
  silence(server);
  await pause(1_500);
  expect(seen.of("speed").every(good), "a value that only does not change is not stale").toBe(true);
  expect(driver.status().counters.ladderClimbs).toBe(0);
  server.set("load", 33);
  await until(
    () => seen.of("load").some((sample) => severityOf(sample.statusCode) === "uncertain"),
    6_000,
    "an Uncertain sample",
  );
  await until(() => seen.latest("load")?.value === 33 && good(seen.latest("load")), 6_000, "the new value");
  server.set("load", 34);
  await until(() => seen.latest("load")?.value === 34, 2_000, "the subscription lives again");
  expect(driver.status().counters, "one item is mended without touching the others").toMatchObject({
    ladderClimbs: 0,
    sessions: 1,
  });
  silence(server);
  for (const [name, value] of VALUES) server.set(name, value + 100);
  await until(
    () => [...VALUES].every(([name, value]) => seen.latest(name)?.value === value + 100),
    5_000,
    "all values",
  );
  expect(driver.status().counters, "all items at once: the subscription").toMatchObject({
    ladderClimbs: 1,
    sessions: 1,
  });
});

test("P13 an item that the server takes but never publishes is polled, and the technician is told", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await using seen = watch(driver);
  await until(() => [...VALUES.keys()].every((name) => good(seen.latest(name))), 5_000, "Good samples");
  for (let value = 50; driver.status().problems.length === 0 && value < 60; value++) {
    silence(server);
    server.set("load", value);
    await until(() => seen.latest("load")?.value === value, 5_000, `the value ${value}`);
  }
  expect(driver.status().problems[0]).toMatchObject({ signal: "load", message: expect.stringContaining("polled") });
  silence(server);
  server.set("load", 77);
  await until(() => seen.latest("load")?.value === 77, 2_500, "a polled value");
  // One climb may come of a machine that is busy; the item by itself is no reason for any.
  expect(driver.status().counters.ladderClimbs).toBeLessThanOrEqual(1);
  expect(driver.status().counters.sessions).toBe(1);
});

test("P13 a subscription without keep-alives: made anew, then a new session, then polling, and back", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES, { staleAfterMs: 600 }));
  await using seen = watch(driver);
  await until(() => [...VALUES.keys()].every((name) => good(seen.latest(name))), 5_000, "Good samples");
  const sickness = setInterval(() => {
    for (const subscription of subscriptionsOf(server)) subscription._stop_timer();
  }, 5);
  try {
    await until(
      () => severityOf(seen.latest("load")?.statusCode ?? 0) !== "good",
      1_500,
      "not Good while it is silent",
    );
    await until(() => driver.status().state === "degraded", 12_000, "polling");
    expect(driver.status().counters.sessions).toBe(2);
    server.set("load", 36);
    await until(() => seen.latest("load")?.value === 36 && good(seen.latest("load")), 3_000, "values by polling");
  } finally {
    clearInterval(sickness);
  }
  await until(() => driver.status().state === "connected", 6_000, "a subscription again");
  server.set("load", 37);
  await until(() => seen.latest("load")?.value === 37, 3_000, "values flow");
  expect(server.sessions).toBe(1);
});

for (const mode of ["reset", "blackhole", "freeze"] as const) {
  test(`P13 P14 a link in mode ${mode}: Bad in time, then Good again on one session, nothing told twice`, async () => {
    await using server = await new TestServer({ values: VALUES }).start();
    await using proxy = await new TcpProxy(server.port).listen();
    await using driver = opcuaDriver(
      opcuaConnection(`opc.tcp://127.0.0.1:${proxy.port}/UA`, MACHINES, { connectTimeoutMs: 700 }),
    );
    await using seen = watch(driver);
    await until(() => [...VALUES.keys()].every((name) => good(seen.latest(name))), 5_000, "Good samples");
    proxy.mode = mode;
    const status = mode === "reset" ? StatusCode.BadConnectionClosed : StatusCode.BadTimeout;
    await until(
      () => [...VALUES.keys()].every((name) => seen.of(name).some((each) => each.statusCode === status)),
      1_300,
      "Bad samples with the right status",
    );
    server.set("speed", 1_202);
    await pause(800);
    proxy.mode = "pass";
    await until(
      () => [...VALUES.keys()].every((name) => good(seen.latest(name))) && seen.latest("speed")?.value === 1_202,
      8_000,
      "Good again",
    );
    server.set("load", 33);
    await until(() => seen.latest("load")?.value === 33, 3_000, "values flow");
    expect(server.sessions).toBe(1);
    expect(driver.status().counters.resumptions).toBe(1);
    expect(seen.of("load").filter((sample) => sample.value === 33)).toHaveLength(1);
  });
}

test("P13 a server that refuses subscriptions is polled, and subscribed to when it gives way", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  const handlers = server.server as unknown as Record<
    string,
    (
      message: { request: { requestHeader: { requestHandle: number } } },
      channel: { send_response(type: string, response: unknown, message: unknown): void },
    ) => void
  >;
  const create = handlers._on_CreateSubscriptionRequest;
  handlers._on_CreateSubscriptionRequest = (message, channel) =>
    channel.send_response(
      "MSG",
      new ServiceFault({
        responseHeader: {
          requestHandle: message.request.requestHeader.requestHandle,
          serviceResult: StatusCodes.BadTooManySubscriptions,
        },
      }),
      message,
    );
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await using seen = watch(driver);
  await until(() => [...VALUES.keys()].every((name) => good(seen.latest(name))), 5_000, "Good samples by polling");
  expect(driver.status()).toMatchObject({ state: "degraded" });
  expect(driver.status().detail).toContain("BadTooManySubscriptions");
  await pause(600);
  expect(seen.of("speed"), "an unchanged value is not told again").toHaveLength(1);
  if (create) handlers._on_CreateSubscriptionRequest = create.bind(server.server);
  await until(() => driver.status().state === "connected", 6_000, "a subscription");
  server.set("load", 35);
  await until(() => seen.latest("load")?.value === 35, 3_000, "values flow");
});

test("P15 small operation limits are respected, each refused item is reported, and one that appears later flows", async () => {
  const many = new Map(Array.from({ length: 35 }, (_, i) => [`s${i}`, 100 + i] as const));
  await using server = new TestServer({
    values: many,
    server: {
      serverCapabilities: {
        operationLimits: {
          maxNodesPerRead: 10,
          maxMonitoredItemsPerCall: 10,
          maxNodesPerTranslateBrowsePathsToNodeIds: 10,
          maxNodesPerBrowse: 10,
        },
      } as never,
    },
  });
  server.removed.add("s7").add("s23");
  await server.start();
  const signals = [...many.keys()].map((name, i) =>
    opcuaSignal(
      name,
      i % 2 ? { path: `/Objects/nsu=${MILLS}:Mill/nsu=${MILLS}:${name}`, mode: i % 3 ? "subscribe" : "poll" } : {},
    ),
  );
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, [opcuaMachine(signals)]));
  await using seen = watch(driver);
  const present = [...many.keys()].filter((name) => !server.removed.has(name));
  await until(
    () => present.every((name) => seen.latest(name)?.value === many.get(name)),
    5_000,
    "every present signal",
  );
  await until(() => driver.status().problems.length === 2, 2_000, "two problems");
  expect(
    driver
      .status()
      .problems.map((problem) => problem.signal)
      .sort(),
  ).toEqual(["s23", "s7"]);
  for (const name of ["s7", "s23"]) expect(severityOf(seen.latest(name)?.statusCode ?? 0)).toBe("bad");
  const namespace = server.server?.engine.addressSpace?.getNamespace(MILLS);
  namespace?.addVariable({
    browseName: "s7",
    nodeId: "s=Mill.s7",
    componentOf: server.nodes.get("s1")?.parent,
    dataType: "Double",
    value: { dataType: "Double", value: 707 },
  } as never);
  await until(() => seen.latest("s7")?.value === 707, 4_000, "the node that appeared");
});

test("P15 a server that holds only some of the items says so for each of the others", async () => {
  const many = new Map(Array.from({ length: 8 }, (_, i) => [`s${i}`, 300 + i] as const));
  await using server = await new TestServer({
    values: many,
    server: { serverCapabilities: { maxMonitoredItems: 5 } as never },
  }).start();
  await using driver = opcuaDriver(
    opcuaConnection(server.endpointUrl, [opcuaMachine([...many.keys()].map((name) => opcuaSignal(name)))]),
  );
  await using seen = watch(driver);
  await until(
    () => [...many.keys()].every((name) => seen.latest(name) !== undefined),
    5_000,
    "a sample of every signal",
  );
  expect([...many.keys()].filter((name) => good(seen.latest(name)))).toHaveLength(5);
  const refused = driver.status().problems;
  expect(refused).toHaveLength(3);
  for (const problem of refused) expect(problem.statusCode).toBe(StatusCodes.BadTooManyMonitoredItems.value >>> 0);
});

test("P14 a server whose sessions are all taken refuses as such, and is used when one is free", async () => {
  await using server = await new TestServer({
    values: VALUES,
    server: { serverCapabilities: { maxSessions: 1 } as never },
  }).start();
  const first = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await using holding = watch(first);
  await until(() => good(holding.latest("speed")), 5_000, "the first client reads");
  await using second = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await expect(second.connect(AbortSignal.timeout(3_000))).rejects.toMatchObject({
    code: "DRIVER_REFUSED",
    statusCode: StatusCodes.BadTooManySessions.value >>> 0,
  });
  await holding.stop();
  await first[Symbol.asyncDispose]();
  await using seen = watch(second);
  await until(() => good(seen.latest("speed")), 5_000, "the second client reads");
});

test("P13 a restart that changes the order of namespaces still reads the right nodes", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  const machines = [
    opcuaMachine([opcuaSignal("speed"), opcuaSignal("load", { path: `/Objects/nsu=${MILLS}:Mill/nsu=${MILLS}:load` })]),
  ];
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, machines));
  await using seen = watch(driver);
  await until(() => good(seen.latest("speed")) && good(seen.latest("load")), 5_000, "Good samples");
  await server.stop();
  await until(() => !good(seen.latest("speed")), 1_300, "Bad samples");
  server.namespaces = ["urn:new:first", MILLS, OTHER].reverse();
  server.set("speed", 1_999);
  await server.start();
  await until(() => seen.latest("speed")?.value === 1_999 && good(seen.latest("load")), 10_000, "Good again");
  expect(seen.latest("load")?.value).toBe(32);
});

test("P14 twenty times connect and dispose leave no session behind, and neither do refusals", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  for (let i = 0; i < 20; i++) {
    await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
    await driver.connect(AbortSignal.timeout(3_000));
  }
  const stranger = { kind: "user", username: "nobody", password: "wrong" } as const;
  await using refused = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES, { identity: stranger }));
  await expect(refused.connect(AbortSignal.timeout(3_000))).rejects.toMatchObject({
    code: "DRIVER_REFUSED",
    statusCode: StatusCode.BadIdentityTokenRejected,
  });
  await until(() => server.sessions === 0, 2_000, "no session on the server");
});

test("P16 a poll rate that the link can't hold is counted and told", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  await using proxy = await new TcpProxy(server.port).listen();
  const machines = [opcuaMachine([opcuaSignal("speed", { mode: "poll", samplingIntervalMs: 50 })])];
  await using driver = opcuaDriver(opcuaConnection(`opc.tcp://127.0.0.1:${proxy.port}/UA`, machines));
  await using seen = watch(driver);
  await until(() => seen.of("speed").length > 5, 3_000, "polled values");
  const before = driver.status().counters.missedDeadlines ?? 0;
  proxy.delayMs = 100;
  proxy.mode = "delay";
  await until(() => (driver.status().counters.missedDeadlines ?? 0) > before + 5, 4_000, "missed deadlines");
  expect(driver.status().detail).toContain("polling is late at 50 ms");
});

test("P13 an outage longer than the driver mends ends in an error, and the next connect reads on", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES), { mendMs: 300 });
  await using seen = watch(driver);
  await until(() => good(seen.latest("speed")), 5_000, "Good samples");
  await server.stop();
  await until(() => seen.faults.length > 0, 4_000, "an error from samples or connect");
  expect(seen.faults[0]).toMatchObject({ code: "DRIVER_NOT_CONNECTED" });
  expect(driver.status().state).not.toBe("connected");
  server.set("speed", 1_333);
  await server.start();
  await until(() => seen.latest("speed")?.value === 1_333, 8_000, "Good again");
  expect(server.sessions).toBe(1);
});

test("deadbands: absolute by the server, applied here where it refuses, and a refused percentage is told", async () => {
  await using server = await new TestServer({
    values: VALUES,
    build: (namespace) => {
      namespace.addVariable({
        browseName: "word",
        nodeId: "s=word",
        organizedBy: "ObjectsFolder",
        dataType: "String",
        minimumSamplingInterval: 20,
        value: { dataType: "String", value: "G01" },
      } as never);
    },
  }).start();
  const signals = [
    opcuaSignal("load", { deadband: { kind: "absolute", value: 5 } }),
    opcuaSignal("speed", { deadband: { kind: "percent", value: 5 } }),
    opcuaSignal("word", { node: `nsu=${MILLS};s=word`, deadband: { kind: "absolute", value: 5 } }),
  ];
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, [opcuaMachine(signals)]));
  await using seen = watch(driver);
  await until(() => signals.every((signal) => good(seen.latest(signal.name))), 5_000, "Good samples");
  expect(seen.latest("word")?.value).toBe("G01");
  const told = driver.status().problems.map((problem) => problem.signal);
  expect(told).toContain("speed");
  for (const value of [34, 36, 38]) {
    server.set("load", value);
    await pause(150);
  }
  // A busy machine may call a value stale for a moment.
  expect(seen.of("load").flatMap(({ value }) => (value === null ? [] : [value]))).toEqual([32, 38]);
  server.set("speed", 1_202);
  await until(() => seen.latest("speed")?.value === 1_202, 2_000, "every change where the percentage was refused");
});
