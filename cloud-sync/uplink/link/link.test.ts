import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { DEVICE, fileOf, keyConfig, outgoing, testLink, uplinkConfig } from "../../../test/support/link-harness.ts";
import { eventsOf, type RunningHub, runHub } from "../../../test/support/running-hub.ts";
import { until } from "../../../test/support/until.ts";
import { hubAuthority } from "../../hub/certificates.ts";
import { makeDeviceCertificate } from "../../hub/make-certificate.ts";
import { TwinRequests } from "../../hub/mqtt/twin-requests.ts";
import { startWorkload } from "../../hub/workload/workload-server.ts";
import { MESSAGE_BYTES_MAX } from "../ports.ts";
import { outgoingBytes } from "./outgoing.ts";

// Goal: the link does over Microsoft's SDK and a real hub what the port says, for every way to say who a box is.

async function webSocketPort({ mqtt, folder }: RunningHub): Promise<number> {
  const [key, cert] = ["server.key", "server.pem"].map((name) => readFileSync(join(folder, name), "utf8"));
  if (key === undefined || cert === undefined) throw new Error("no certificate");
  const server = createServer({ key, cert, requestCert: true, rejectUnauthorized: false });
  server.on("upgrade", mqtt.handleUpgrade);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** The SDK reads the process's own environment. */
function setEnvironment(environment: Readonly<Record<string, string>>): void {
  Object.assign(process.env, environment);
  onTestFinished(() => {
    for (const name of Object.keys(environment)) delete process.env[name];
  });
}

describe("who the box is", () => {
  test("a device by its key, over MQTT", async () => {
    const running = await runHub();
    const link = testLink(keyConfig(running));
    const session = await link.open();
    expect(link.connector.description).toBe(`localhost as device ${DEVICE} (key)`);
    await session.send(outgoing("by key", "priority", { "a b": "1/2&3" }));
    expect(eventsOf(running.hub)).toMatchObject([
      {
        source: { deviceId: DEVICE },
        body: Buffer.from("by key"),
        properties: { "a b": "1/2&3" },
        system: { contentType: "application/vnd.tailstock.blocks", messageId: expect.stringMatching(/^m-/) },
      },
    ]);
  });

  test("a device by its key, over a WebSocket on any port", async () => {
    const running = await runHub();
    const port = await webSocketPort(running);
    const session = await testLink(keyConfig(running, { port, more: { transport: "mqtt-ws" } })).open();
    await session.send(outgoing("by WebSocket"));
    expect(eventsOf(running.hub)).toMatchObject([{ body: Buffer.from("by WebSocket") }]);
  });

  test("a device by its certificate, over both", async () => {
    const running = await runHub();
    const made = await makeDeviceCertificate(undefined, { commonName: DEVICE, days: 30, nowMs: Date.now() });
    const primaryThumbprint = new X509Certificate(made.certificate).fingerprint256.replaceAll(":", "");
    const authentication = {
      type: "selfSigned" as const,
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: { primaryThumbprint, secondaryThumbprint: null },
    };
    running.hub.registry.create({ deviceId: DEVICE }, { authentication });
    for (const transport of ["mqtt", "mqtt-ws"] as const) {
      const port = transport === "mqtt" ? running.mqtt.port : await webSocketPort(running);
      const config = uplinkConfig(
        {
          kind: "x509",
          hostName: `localhost:${port}`,
          deviceId: DEVICE,
          certificatePath: fileOf("box.pem", made.certificate),
          privateKeyPath: fileOf("box.key", made.key),
        },
        { caPath: fileOf("ca.pem", running.ca), transport },
      );
      const session = await testLink(config).open();
      await session.send(outgoing(transport));
    }
    expect(
      eventsOf(running.hub).map(({ body, authMethod }) => [String(body), authMethod?.includes("x509Certificate")]),
    ).toEqual([
      ["mqtt", true],
      ["mqtt-ws", true],
    ]);
  });

  test("a module by its key, without outputs; an IoT Edge module by EdgeHubConnectionString, by the output of its lane", async () => {
    const running = await runHub();
    const config = keyConfig(running, { moduleId: "uplink" });
    const module = await testLink(config).open();
    await module.send(outgoing("plain"));
    await module[Symbol.asyncDispose]();
    if (config.identity.kind !== "connection-string") throw new Error("it has a file");
    const environment = {
      EdgeHubConnectionString: readFileSync(config.identity.connectionStringPath, "utf8").trim(),
      EdgeModuleCACertificateFile: config.caPath ?? "",
    };
    setEnvironment(environment);
    const link = testLink(uplinkConfig({ kind: "iot-edge" }), { environment });
    const session = await link.open();
    expect(link.connector.description).toContain(`as module ${DEVICE}/uplink (IoT Edge runtime)`);
    await session.send(outgoing("now", "priority"));
    await session.send(outgoing("all", "telemetry"));
    expect(eventsOf(running.hub).map(({ body, system }) => [String(body), system.outputName])).toEqual([
      ["plain", undefined],
      ["now", "priority"],
      ["all", "telemetry"],
    ]);
  });

  test("an IoT Edge module by the workload API: it trusts, signs, hears methods; a runtime that does not answer is told", async () => {
    const running = await runHub();
    const authority = hubAuthority(running.folder);
    if (authority === undefined) throw new Error("the hub has an authority");
    const identity = { deviceId: DEVICE, moduleId: "uplink" };
    running.hub.registry.create({ deviceId: DEVICE }, { capabilities: { iotEdge: true } });
    const { generationId } = running.hub.registry.create(identity, {});
    const workload = await startWorkload(running.hub, { authority, at: { port: 0 } });
    let isClosed = false;
    onTestFinished(async () => {
      if (!isClosed) await workload.close();
    });
    const environment = {
      IOTEDGE_WORKLOADURI: workload.uri,
      IOTEDGE_DEVICEID: DEVICE,
      IOTEDGE_MODULEID: "uplink",
      IOTEDGE_MODULEGENERATIONID: generationId,
      IOTEDGE_IOTHUBHOSTNAME: "localhost",
      IOTEDGE_GATEWAYHOSTNAME: `localhost:${running.mqtt.port}`,
      IOTEDGE_AUTHSCHEME: "sasToken",
      IOTEDGE_APIVERSION: "2018-06-28",
    };
    setEnvironment(environment);
    const link = testLink(uplinkConfig({ kind: "iot-edge" }), { environment });
    const session = await link.open();
    await session.send(outgoing("by the runtime's key", "telemetry"));
    expect(eventsOf(running.hub)).toMatchObject([{ source: identity, system: { outputName: "telemetry" } }]);
    const call = { methodName: "ping", payload: 1, connectTimeoutMs: 5_000, responseTimeoutMs: 5_000 };
    expect(await running.hub.links.invoke(identity, call)).toMatchObject({ status: 207 });
    await session.report({ from: "module" });
    expect(running.hub.twins.get(identity).reported.values).toEqual({ from: "module" });
    await session[Symbol.asyncDispose]();
    await workload.close();
    isClosed = true;
    expect(await link.fail()).toMatchObject({
      code: "UPLINK_UNREACHABLE",
      message: expect.stringContaining("The IoT Edge runtime does not answer"),
    });
  });

  test("without the variables of the IoT Edge runtime the sentence says so", async () => {
    const error = await testLink(uplinkConfig({ kind: "iot-edge" })).fail();
    expect(error).toMatchObject({ code: "UPLINK_CONFIG", message: expect.stringContaining("IOTEDGE_") });
  });
});

describe("sending", () => {
  test("a message as large as a hub takes arrives, one byte more is refused before it is sent", async () => {
    const running = await runHub();
    const session = await testLink(keyConfig(running)).open();
    const small = outgoing("");
    const room = MESSAGE_BYTES_MAX - outgoingBytes(small);
    const body = Buffer.alloc(room, 0xfe);
    await session.send({ ...small, body });
    await expect(session.send({ ...small, body: Buffer.alloc(room + 1) })).rejects.toMatchObject({
      code: "UPLINK_REFUSED",
      message: expect.stringContaining(`${MESSAGE_BYTES_MAX + 1} bytes`),
    });
    await expect(session.send(outgoing("x", "telemetry", { p: "%".repeat(30_000) }))).rejects.toMatchObject({
      code: "UPLINK_REFUSED",
      message: expect.stringContaining("too long for MQTT"),
    });
    await session.send(outgoing("after"));
    expect(eventsOf(running.hub).map((event) => event.body.length)).toEqual([room, 5]);
  });

  test("a hundred at once are acknowledged each, and the SDK writes no body as JSON for its debug log", async () => {
    const running = await runHub();
    const session = await testLink(keyConfig(running)).open();
    const { toJSON } = Buffer.prototype;
    let written = 0;
    Buffer.prototype.toJSON = function (this: Buffer) {
      if (this.length > 1_000) written++;
      return toJSON.call(this);
    };
    onTestFinished(() => {
      Buffer.prototype.toJSON = toJSON;
    });
    const body = Buffer.alloc(200_000, 7);
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: 20 }, () => session.send(outgoing(body))));
    const { user, system } = process.cpuUsage(before);
    await Promise.all(Array.from({ length: 100 }, (_, i) => session.send(outgoing(`n${i}`))));
    console.info(`200 KB: ${Math.round((user + system) / 20)} µs of CPU a message, both sides in this process`);
    expect(eventsOf(running.hub)).toHaveLength(120);
    expect(written).toBe(0);
  });
});

describe("what the hub asks", () => {
  test("methods of any name are answered, malformed ones too, and messages heard once", async () => {
    const running = await runHub();
    const link = testLink(keyConfig(running));
    await link.open();
    const call = (methodName: string, payload: string | null | { n: number }) =>
      running.hub.links.invoke(
        { deviceId: DEVICE },
        { methodName, payload, connectTimeoutMs: 5_000, responseTimeoutMs: 5_000 },
      );
    expect(await call("ping", { n: 1 })).toEqual({ status: 207, payload: { heard: "ping", payload: { n: 1 } } });
    expect(await call("noSuchThing", null)).toMatchObject({ status: 207, payload: { heard: "noSuchThing" } });
    await running.hub.commands.enqueue({
      deviceId: DEVICE,
      body: Buffer.from(JSON.stringify({ method: "ping", payload: { n: 2 } })),
      properties: {},
      system: { messageId: "c-1" },
      ack: "none",
    });
    await until("the message", () => link.requests.commands.length === 3);
    expect(link.requests.commands[2]).toEqual({ name: "ping", payload: { n: 2 }, via: "message", messageId: "c-1" });
  });

  test("desired properties come whole, patches merged, lists replaced, and anew in the next session; reports arrive", async () => {
    const running = await runHub();
    const config = keyConfig(running);
    const write = (desired: Record<string, never> | object) =>
      running.hub.twins.write({ deviceId: DEVICE }, { desired: desired as never }, "patch");
    write({ tailstock: { rate: 1, models: ["a", "b"] } });
    const link = testLink(config);
    const session = await link.open();
    const { desireds } = link.requests;
    await until("the whole", () => desireds.length === 1);
    expect(desireds[0]).toMatchObject({ tailstock: { rate: 1, models: ["a", "b"] } });
    write({ tailstock: { models: ["c"], rate: null } });
    await until("the patch", () => desireds.length === 2);
    expect(desireds[1]).toMatchObject({ tailstock: { models: ["c"] } });
    expect(desireds[1]?.tailstock).not.toHaveProperty("rate");
    await session.report({ backlog: { events: 12 }, old: 1 });
    await session.report({ old: null });
    expect(running.hub.twins.get({ deviceId: DEVICE }).reported.values).toEqual({ backlog: { events: 12 } });
    await expect(session.report({ text: "x".repeat(5_000) })).rejects.toMatchObject({ code: "UPLINK_REFUSED" });
    await session[Symbol.asyncDispose]();
    write({ tailstock: { rate: 7 } });
    await link.open();
    await until("the whole again", () => desireds.length === 3);
    expect(desireds[2]).toMatchObject({ tailstock: { models: ["c"], rate: 7 } });
    // A change that the hub does not tell is noticed by the number of the next one.
    vi.spyOn(TwinRequests.prototype, "tellDesired").mockImplementationOnce(() => undefined);
    write({ tailstock: { missed: true } });
    write({ tailstock: { rate: 8 } });
    await until("the whole after a gap", () => desireds.length === 4);
    expect(desireds[3]).toMatchObject({ tailstock: { models: ["c"], rate: 8, missed: true } });
  });
});

test("fifty reconnects leave nothing behind: no socket, no timer, no listener", async () => {
  const running = await runHub();
  const link = testLink(keyConfig(running));
  const cycle = async (): Promise<void> => {
    const session = await link.connector.connect(AbortSignal.timeout(10_000));
    await session.send(outgoing("x"));
    await session[Symbol.asyncDispose]();
    expect((await session.lost).code).toBe("UPLINK_LOST");
  };
  const resources = (): string[] => process.getActiveResourcesInfo().filter((name) => name !== "Immediate");
  for (let i = 0; i < 3; i++) await cycle();
  await until("the hub lets go", () => running.hub.links.get({ deviceId: DEVICE }) === undefined);
  const before = resources().length;
  for (let i = 0; i < 50; i++) await cycle();
  await until("as before", () => resources().length <= before + 1, 3_000);
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  expect(listeners).toBeLessThan(40);
});

test("probe tells whether somebody takes connections", async () => {
  const running = await runHub();
  const { connector } = testLink(keyConfig(running));
  expect(await connector.probe(AbortSignal.timeout(2_000))).toBe(true);
  await running.stop();
  expect(await connector.probe(AbortSignal.timeout(2_000))).toBe(false);
});
