import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AttributeIds, DataType, type DataValue, StatusCodes, TimestampsToReturn } from "node-opcua";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { createFactory, type Factory } from "./factory.ts";
import { renderConfig } from "./render-config.ts";
import { connectOpcua, isListening, scratchFolder, until } from "./test-clients.ts";

let folder: Awaited<ReturnType<typeof scratchFolder>>;
/** Its clock ticks once an hour: what is read is exactly what the plant holds. */
let frozen: Factory;

beforeAll(async () => {
  folder = await scratchFolder();
  frozen = createFactory({ seed: 21, tickMs: 3_600_000, pkiPath: join(folder.path, "frozen") });
  await frozen.start();
});

afterAll(async () => {
  await frozen.stop();
  await folder[Symbol.asyncDispose]();
});

const connect = (factory: Factory, secure = false) =>
  connectOpcua(factory.opcuaEndpointUrl, { secure, pkiPath: folder.path });

/** A wire value as the plant holds it. */
function plain({ value }: DataValue): unknown {
  if (value.dataType !== DataType.Int64) return value.value;
  const [high, low] = value.value as [number, number];
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

test("every OPC UA signal of the rendered config reads Good, with its type and the plant's value", async () => {
  const config = parse(renderConfig(frozen)) as {
    machineTypes: Record<string, { signals: Record<string, { node: string; type: string }> }>;
    machines: Record<string, { type: string; unitId?: number }>;
  };
  await using opcua = await connect(frozen, true);
  const namespaces = await opcua.session.readNamespaceArray();
  const index = namespaces.indexOf("urn:wwi:redmond:machining");
  expect(index).toBeGreaterThan(1);
  let read = 0;
  for (const [id, { type, unitId }] of Object.entries(config.machines)) {
    if (unitId !== undefined) continue;
    const signals = Object.entries(config.machineTypes[type]?.signals ?? {});
    const answers = await opcua.session.read(
      signals.map(([, { node }]) => ({
        nodeId: node.replace("nsu=urn:wwi:redmond:machining", `ns=${index}`).replace(/\$\{machine\}/, id),
        attributeId: AttributeIds.Value,
      })),
    );
    for (const [position, [name, signal]] of signals.entries()) {
      const answer = answers[position] as DataValue;
      const typeName = { float64: "Double", float32: "Float", string: "String", boolean: "Boolean" }[signal.type];
      const expectedType = typeName ?? signal.type.replace("uint", "UInt").replace("int", "Int");
      expect(answer.statusCode, `${id} ${name}`).toEqual(StatusCodes.Good);
      expect(DataType[answer.value.dataType], `${id} ${name}`).toBe(expectedType);
      expect(plain(answer), `${id} ${name}`).toBe(frozen.plant.machine(id).signal(name).value);
      read++;
    }
  }
  expect(read).toBeGreaterThan(320);
});

test("64-bit counters do not fit into 32 bits, and analog nodes carry range and unit", async () => {
  await using opcua = await connect(frozen);
  const revolutions = await opcua.read("lathe-02.Spindle.Revolutions");
  expect(plain(revolutions)).toBeGreaterThan(2n ** 32n);
  const browsed = await opcua.session.browse("ns=2;s=mill-03.Spindle.Temperature");
  expect(browsed.references?.map(({ browseName }) => browseName.name)).toEqual(
    expect.arrayContaining(["EURange", "EngineeringUnits"]),
  );
});

test("the server offers None and Basic256Sha256 SignAndEncrypt with a certificate that it made itself", async () => {
  await using opcua = await connect(frozen);
  const endpoints = await opcua.client.getEndpoints();
  const offers = endpoints.map(
    ({ securityPolicyUri, securityMode }) => `${securityPolicyUri?.split("#")[1]} ${securityMode}`,
  );
  expect([...new Set(offers)].sort()).toEqual(["Basic256Sha256 3", "None 1"]);
  const pem = readFileSync(join(folder.path, "frozen", "server", "own", "certs", "simulator.pem"), "utf8");
  expect(new X509Certificate(pem).subject.split("\n").sort()).toEqual(["CN=Tailstock simulator", "O=Tailstock"]);
});

test("a write is refused: the simulator is a machine, not a notebook", async () => {
  await using opcua = await connect(frozen);
  const status = await opcua.session.write({
    nodeId: "ns=2;s=mill-01.Spindle.Speed",
    attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType.Double, value: 1 } },
  });
  expect([StatusCodes.BadNotWritable, StatusCodes.BadUserAccessDenied]).toContain(status);
});

test("spike, dip, shift, stuck and lost reach a client, and end", async () => {
  await using opcua = await connect(frozen);
  const read = async (): Promise<DataValue> => opcua.read("lathe-01.Hydraulics.Pressure");
  const normal = Number((await read()).value.value);
  const expected = { spike: normal * 1.8, dip: normal * 0.6, shift: normal + 10 } as const;
  for (const kind of ["spike", "dip", "shift"] as const) {
    const fault = frozen.inject({ kind, machineId: "lathe-01", signal: "hydraulicPressure", durationMs: 60_000 });
    expect(Number((await read()).value.value), kind).toBeCloseTo(expected[kind], 0);
    frozen.end(fault.id);
    expect(Number((await read()).value.value), kind).toBeCloseTo(normal, 0);
  }
  // A stuck sensor hides what another fault would show.
  const stuck = frozen.inject({
    kind: "stuck",
    machineId: "lathe-01",
    signal: "hydraulicPressure",
    durationMs: 60_000,
  });
  const frozenAt = Number((await read()).value.value);
  const hidden = frozen.inject({
    kind: "spike",
    machineId: "lathe-01",
    signal: "hydraulicPressure",
    durationMs: 60_000,
  });
  expect(Number((await read()).value.value)).toBe(frozenAt);
  frozen.end(stuck.id);
  expect(Number((await read()).value.value)).toBeGreaterThan(frozenAt * 1.5);
  frozen.end(hidden.id);
  const lost = frozen.inject({ kind: "lost", machineId: "lathe-01", signal: "hydraulicPressure", durationMs: 60_000 });
  const bad = await read();
  expect(bad.statusCode).toEqual(StatusCodes.BadSensorFailure);
  expect(bad.value.dataType).toBe(DataType.Null);
  frozen.end(lost.id);
  expect((await read()).statusCode).toEqual(StatusCodes.Good);
});

test("a subscription sees values move, a stuck one stand still, and wear, leak and breakage in minutes of physics", async () => {
  // Three hundred times the clock: what takes a quarter of an hour in a shop takes three seconds here.
  const factory = createFactory({ seed: 5, tickMs: 20, timeScale: 300, pkiPath: join(folder.path, "moving") });
  await factory.start();
  try {
    await using opcua = await connect(factory);
    const subscription = await opcua.session.createSubscription2({
      requestedPublishingInterval: 50,
      requestedLifetimeCount: 1000,
      requestedMaxKeepAliveCount: 20,
      publishingEnabled: true,
    });
    const seen = new Map<string, unknown[]>();
    const nodes = [
      "mill-01.Spindle.Load",
      "mill-02.Coolant.Level",
      "mill-03.Machine.State",
      "mill-01.Spindle.Vibration.X.RMS",
    ];
    for (const name of nodes) {
      seen.set(name, []);
      const item = await subscription.monitor(
        { nodeId: `ns=2;s=${name}`, attributeId: AttributeIds.Value },
        { samplingInterval: 0, queueSize: 100, discardOldest: true },
        TimestampsToReturn.Both,
      );
      item.on("changed", ({ value }: DataValue) => seen.get(name)?.push(value.value));
    }
    const valuesOf = (name: string): unknown[] => seen.get(name) ?? [];
    await until("the load moves", () => valuesOf("mill-01.Spindle.Load").length > 5);
    factory.inject({ kind: "stuck", machineId: "mill-01", signal: "spindleLoad", durationMs: 60_000 });
    const wearBearing = () => {
      if (factory.plant.faults.active.some(({ fault }) => fault === "bearing-wear")) return;
      factory.inject({ kind: "bearing-wear", machineId: "mill-01", durationMs: 6000, magnitude: 1 });
    };
    // A sound spindle stays below 2.5 mm/s whatever it cuts.
    const shakes = () => valuesOf("mill-01.Spindle.Vibration.X.RMS").some((value) => Number(value) > 3.2);
    expect(shakes()).toBe(false);
    wearBearing();
    factory.inject({ kind: "coolant-leak", machineId: "mill-02", durationMs: 2500 });
    factory.inject({ kind: "tool-wear", machineId: "mill-03", durationMs: 1500 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const loadCount = valuesOf("mill-01.Spindle.Load").length;
    await until("the tank runs empty", () => Math.min(...valuesOf("mill-02.Coolant.Level").map(Number)) < 15);
    await until("the tool breaks", () => valuesOf("mill-03.Machine.State").includes("fault"));
    await until(
      "the bearing shakes",
      () => {
        wearBearing(); // again, should the machine have paused while the bearing was at its worst
        return shakes();
      },
      20_000,
    );
    expect(valuesOf("mill-01.Spindle.Load").length).toBe(loadCount);
  } finally {
    await factory.stop();
  }
});

test("link down: the client's connection breaks, nobody listens, and the same address answers again", async () => {
  const factory = createFactory({
    seed: 6,
    tickMs: 50,
    mills: 1,
    lathes: 0,
    presses: 1,
    pkiPath: join(folder.path, "cut"),
  });
  await factory.start();
  try {
    const opcua = await connect(factory);
    expect((await opcua.read("mill-01.Machine.State")).statusCode).toEqual(StatusCodes.Good);
    const lost = new Promise((resolve) => opcua.client.once("connection_lost", () => resolve(undefined)));
    factory.inject({ kind: "link-down", machineId: "mill-01", durationMs: 1500 });
    await lost;
    await until("nobody listens", async () => !(await isListening(factory.opcuaPort)));
    expect(await isListening(factory.modbusPort)).toBe(true);
    await opcua[Symbol.asyncDispose]();
    await until("the line is back", () => isListening(factory.opcuaPort));
    await using again = await connect(factory);
    expect((await again.read("mill-01.Machine.State")).statusCode).toEqual(StatusCodes.Good);
  } finally {
    await factory.stop();
  }
});

test("a client that waits through a cut line goes on in the same session and subscription", async () => {
  const factory = createFactory({
    seed: 9,
    tickMs: 50,
    mills: 1,
    lathes: 0,
    presses: 0,
    pkiPath: join(folder.path, "wait"),
  });
  await factory.start();
  try {
    await using opcua = await connectOpcua(factory.opcuaEndpointUrl, { pkiPath: folder.path, retries: true });
    const sessionId = opcua.session.sessionId.toString();
    const subscription = await opcua.session.createSubscription2({
      requestedPublishingInterval: 50,
      requestedLifetimeCount: 1000,
      requestedMaxKeepAliveCount: 5,
      publishingEnabled: true,
    });
    const item = await subscription.monitor(
      { nodeId: "ns=2;s=mill-01.Spindle.Vibration.X.RMS", attributeId: AttributeIds.Value },
      { samplingInterval: 0, queueSize: 100, discardOldest: true },
      TimestampsToReturn.Both,
    );
    let count = 0;
    item.on("changed", () => {
      count++;
    });
    await until("values arrive", () => count > 3);
    const lost = new Promise((resolve) => opcua.client.once("connection_lost", () => resolve(undefined)));
    factory.inject({ kind: "link-down", machineId: "mill-01", durationMs: 1000 });
    await lost;
    const countAtLoss = count;
    await until("values arrive again", () => count > countAtLoss + 10, 15_000);
    expect(opcua.session.sessionId.toString()).toBe(sessionId);
  } finally {
    await factory.stop();
  }
});

test("server restart: sessions are gone, the namespace and the certificate stay, values go on", async () => {
  const factory = createFactory({
    seed: 8,
    tickMs: 50,
    mills: 1,
    lathes: 1,
    presses: 0,
    pkiPath: join(folder.path, "restart"),
  });
  await factory.start();
  try {
    const before = await connect(factory, true);
    const certificate = before.client.serverCertificate;
    const energy = Number((await before.read("lathe-01.Power.Energy")).value.value);
    const started = await before.session.read({ nodeId: "i=2257", attributeId: AttributeIds.Value });
    factory.inject({ kind: "server-restart", machineId: "lathe-01", durationMs: 800 });
    await until("the server is gone", async () => !(await isListening(factory.opcuaPort)));
    await before[Symbol.asyncDispose]();
    await until("the server is back", () => isListening(factory.opcuaPort), 15_000);
    await using after = await connect(factory, true);
    const restarted = await after.session.read({ nodeId: "i=2257", attributeId: AttributeIds.Value });
    expect((restarted.value.value as Date).getTime()).toBeGreaterThan((started.value.value as Date).getTime());
    expect(after.client.serverCertificate).toEqual(certificate);
    expect(Number((await after.read("lathe-01.Power.Energy")).value.value)).toBeGreaterThanOrEqual(energy);
  } finally {
    await factory.stop();
  }
});
