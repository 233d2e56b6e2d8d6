import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { Client, Message } from "azure-iot-device";
import { Mqtt, MqttWs } from "azure-iot-device-mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import { createWebSocketStream, WebSocket } from "ws";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { connectPacket, RawMqtt, rawDevice, rawMqtt } from "../../../test/support/raw-mqtt.ts";
import { eventsOf, HOST, type RunningHub, runHub } from "../../../test/support/running-hub.ts";
import { until } from "../../../test/support/until.ts";
import { hubCertificates } from "../certificates.ts";
import { type Certificate, makeAuthority, makeDeviceCertificate } from "../make-certificate.ts";
import type { Authentication, AuthenticationType } from "../ports.ts";
import { signSas } from "../sas.ts";

const deviceId = "press-3";

function byCertificate(type: AuthenticationType, thumbprint: string | null = null): { authentication: Authentication } {
  return {
    authentication: {
      type,
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: { primaryThumbprint: thumbprint, secondaryThumbprint: null },
    },
  };
}

async function sendAs(running: RunningHub, { certificate, key }: Certificate): Promise<void> {
  // With X.509 the SDK takes the port from the host name.
  const text = `HostName=${HOST}:${running.mqtt.port};DeviceId=${deviceId};x509=true`;
  const client = Client.fromConnectionString(text, Mqtt);
  client.on("error", () => undefined);
  onTestFinished(() => void client.close().catch(() => undefined));
  await client.setOptions({ cert: certificate, key, ca: running.ca } as Parameters<Client["setOptions"]>[0]);
  await client.sendEvent(new Message("by certificate"));
}

describe("X.509", () => {
  test("a self-signed certificate is known by its thumbprint", async () => {
    const running = await runHub();
    const subject = { commonName: "whoever", days: 1, nowMs: Date.now() };
    const [own, other] = [
      await makeDeviceCertificate(undefined, subject),
      await makeDeviceCertificate(undefined, subject),
    ];
    running.hub.registry.create(
      { deviceId },
      byCertificate("selfSigned", new X509Certificate(own.certificate).fingerprint),
    );
    await sendAs(running, own);
    expect(eventsOf(running.hub)).toMatchObject([{ source: { deviceId }, body: Buffer.from("by certificate") }]);
    await expect(sendAs(running, other)).rejects.toMatchObject({ name: "UnauthorizedError" });
    // A key does not help who must show a certificate.
    const client = await rawMqtt(running);
    const password = Buffer.from(signSas(`${HOST}/devices/${deviceId}`, "AAAA", Date.now() + 60_000));
    const refused = await client.connect({ ...connectPacket(running.hub, { deviceId }), password });
    expect(refused.returnCode).toBe(5);
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("it is known again when a %s session is resumed", async (version) => {
    const running = await runHub();
    const own = await makeDeviceCertificate(undefined, { commonName: "whoever", days: 1, nowMs: Date.now() });
    const thumbprint = new X509Certificate(own.certificate).fingerprint256;
    running.hub.registry.create({ deviceId }, byCertificate("selfSigned", thumbprint));
    const options = { cert: own.certificate, key: own.key, maxVersion: version };
    const packet = { ...connectPacket(running.hub, { deviceId }), password: Buffer.alloc(0) };
    const first = await rawMqtt(running, options);
    const sessions: Buffer[] = [];
    first.stream.on("session", (session: Buffer) => sessions.push(session));
    expect((await first.connect(packet)).returnCode).toBe(0);
    const session = await until("a session", () => sessions.at(-1) ?? (first.stream as TLSSocket).getSession());
    const second = await rawMqtt(running, { ...options, session });
    expect((second.stream as TLSSocket).isSessionReused()).toBe(true);
    expect((await second.connect(packet)).returnCode).toBe(0);
  });

  test("a certificate of a known authority must bear the device's name", async () => {
    const nowMs = Date.now();
    const authority = await makeAuthority({ commonName: "works", days: 1, nowMs });
    const stranger = await makeAuthority({ commonName: "works", days: 1, nowMs });
    const running = await runHub({ mqtt: { caCertificates: [authority.certificate] } });
    running.hub.registry.create({ deviceId }, byCertificate("certificateAuthority"));
    await sendAs(running, await makeDeviceCertificate(authority, { commonName: deviceId, days: 1, nowMs }));
    expect(eventsOf(running.hub)).toHaveLength(1);
    for (const [signer, commonName] of [
      [authority, "press-4"],
      [stranger, deviceId],
      [undefined, deviceId],
    ] as const) {
      const certificate = await makeDeviceCertificate(signer, { commonName, days: 1, nowMs });
      await expect(sendAs(running, certificate)).rejects.toMatchObject({ name: "UnauthorizedError" });
    }
  });
});

describe("tokens", () => {
  test.each<[string, number, (running: RunningHub) => Partial<ReturnType<typeof connectPacket>>]>([
    ["fine", 0, () => ({})],
    ["the older form of the user name", 0, () => ({ username: `${HOST}/${deviceId}/api-version=2016-11-14` })],
    ["a policy's key", 0, ({ hub }) => ({ password: policyToken(hub.access.get("device")?.primaryKey, "device") })],
    [
      "a policy without the right",
      5,
      ({ hub }) => ({ password: policyToken(hub.access.get("service")?.primaryKey, "service") }),
    ],
    [
      "a policy's name with another's key",
      5,
      ({ hub }) => ({ password: policyToken(hub.access.get("service")?.primaryKey, "device") }),
    ],
    [
      "expired",
      5,
      ({ hub }) => ({
        password: token(hub.registry.get({ deviceId })?.authentication.symmetricKey.primaryKey, deviceId, -1),
      }),
    ],
    [
      "for another device",
      5,
      ({ hub }) => ({
        password: token(hub.registry.get({ deviceId })?.authentication.symmetricKey.primaryKey, "press-30"),
      }),
    ],
    ["no token", 5, () => ({ password: Buffer.from("secret") })],
    ["no user name", 4, () => ({ username: "" })],
    ["another client id", 2, () => ({ clientId: "press-4" })],
    ["MQTT 3.1", 1, () => ({ protocolId: "MQIsdp", protocolVersion: 3 })],
  ])("%s: CONNACK %i", async (_, wanted, more) => {
    const running = await runHub();
    running.hub.registry.create({ deviceId }, {});
    const client = await rawMqtt(running);
    const { returnCode } = await client.connect(connectPacket(running.hub, { deviceId }, more(running)));
    expect(returnCode).toBe(wanted);
    if (wanted !== 0) await client.closed();
    else expect(running.hub.links.get({ deviceId })).toBeDefined();
  });

  test("a disabled device is refused, and its modules with it", async () => {
    const running = await runHub();
    const module = { deviceId, moduleId: "m" };
    running.hub.registry.create({ deviceId }, {});
    running.hub.registry.create(module, {});
    const before = await rawMqtt(running);
    expect((await before.connect(connectPacket(running.hub, module))).returnCode).toBe(0);
    running.hub.registry.update({ deviceId }, { status: "disabled" });
    await before.closed();
    const after = await rawMqtt(running);
    expect((await after.connect(connectPacket(running.hub, module))).returnCode).toBe(5);
  });

  test("the connection ends when its token does", async () => {
    const clock = new ManualClock();
    const running = await runHub({ clock });
    const client = await rawDevice(running, deviceId, { keepalive: 0 });
    await clock.advance(1_700_000);
    client.send({ cmd: "pingreq" });
    await client.next("pingresp");
    await clock.advance(1_899_000);
    expect(client.isClosed).toBe(false);
    await clock.advance(2_000);
    await client.closed();
    expect(running.hub.links.get({ deviceId })).toBeUndefined();
  });
});

/** An HTTPS server with the front's WebSocket on it. */
async function mountedPort(running: RunningHub): Promise<number> {
  const { cert, key } = await hubCertificates(running.folder, HOST, running.hub.clock);
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false });
  server.on("upgrade", (request, socket, head) => running.mqtt.handleUpgrade(request, socket, head));
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("the SDK's MqttWs, led to another port than 443", async () => {
  const running = await runHub();
  running.hub.registry.create({ deviceId }, {});
  const port = await mountedPort(running);
  const agent = new Agent();
  agent.createConnection = (options) => connect({ ...(options as ConnectionOptions), host: "127.0.0.1", port });
  const key = running.hub.registry.get({ deviceId })?.authentication.symmetricKey.primaryKey;
  const client = Client.fromConnectionString(`HostName=${HOST};DeviceId=${deviceId};SharedAccessKey=${key}`, MqttWs);
  client.on("error", () => undefined);
  onTestFinished(() => void client.close().catch(() => undefined));
  const options = { ca: running.ca, mqtt: { webSocketAgent: agent } };
  await client.setOptions(options as Parameters<Client["setOptions"]>[0]);
  await client.sendEvent(new Message("over a web socket"));
  expect(eventsOf(running.hub)).toMatchObject([{ source: { deviceId }, body: Buffer.from("over a web socket") }]);
});

test("MQTT over WebSocket: large packets, and its end; another path is not found", async () => {
  const running = await runHub();
  running.hub.registry.create({ deviceId }, {});
  const port = await mountedPort(running);
  const lost = new WebSocket(`wss://127.0.0.1:${port}/elsewhere`, ["mqtt"], { ca: running.ca });
  const [error] = (await once(lost, "error")) as [Error];
  expect(error.message).toMatch(/404/);
  const url = `wss://${HOST}:${port}/$iothub/websocket?iothub-no-client-cert=true`;
  const webSocket = new WebSocket(url, ["mqtt"], {
    ca: running.ca,
    lookup: (_host, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  onTestFinished(() => webSocket.terminate());
  const client = new RawMqtt(createWebSocketStream(webSocket));
  expect((await client.connect(connectPacket(running.hub, { deviceId }))).returnCode).toBe(0);
  expect(webSocket.protocol).toBe("mqtt");
  const large = Buffer.alloc(200_000, 3);
  client.publish(`devices/${deviceId}/messages/events/`, large, { messageId: 9 });
  expect((await client.next("puback")).messageId).toBe(9);
  expect(eventsOf(running.hub)[0]?.body.equals(large)).toBe(true);
  running.hub.links.get({ deviceId })?.close("test");
  await until("the socket is closed", () => webSocket.readyState === WebSocket.CLOSED);
});

function token(key: string | null | undefined, id: string, hours = 1): Buffer {
  return Buffer.from(signSas(`${HOST}/devices/${id}`, key ?? "", Date.now() + hours * 3_600_000));
}

function policyToken(key: string | undefined, name: string): Buffer {
  return Buffer.from(signSas(HOST, key ?? "", Date.now() + 3_600_000, name));
}
