import { X509Certificate } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcp } from "node:net";
import { join } from "node:path";
import { createServer as createTls } from "node:tls";
import { generate, parser } from "mqtt-packet";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { DEVICE, fileOf, keyConfig, outgoing, testLink, uplinkConfig } from "../../../test/support/link-harness.ts";
import { type RunningHub, runHub } from "../../../test/support/running-hub.ts";
import { TcpProxy } from "../../../test/support/tcp-proxy.ts";
import { makeAuthority, makeDeviceCertificate, makeServerCertificate } from "../../hub/make-certificate.ts";
import { connectError } from "./link-error.ts";

// Goal: whoever answers in place of the hub, with whatever certificate or clock, is told as what it is.

const DAY_MS = 86_400_000;

/** A hub that shows a certificate for these names, made at that time; `ca` is its authority. */
async function hubWith(
  hosts: readonly string[],
  madeMs: number,
  days: number,
): Promise<{ running: RunningHub; ca: string }> {
  const authority = await makeAuthority({
    commonName: "Own authority",
    days: 9_000,
    nowMs: Date.now() - 2_000 * DAY_MS,
  });
  const { certificate, key } = await makeServerCertificate(authority, { days, nowMs: madeMs }, hosts);
  return { running: await runHub({ mqtt: { key, cert: certificate } }), ca: authority.certificate };
}

/** Answers HTTPS with a clock of its own, as the REST side of a hub does. */
async function timeServer(offsetMs: number): Promise<number> {
  const { certificate, key } = await makeServerCertificate(
    await makeAuthority({ commonName: "x", days: 10, nowMs: Date.now() }),
    { days: 5, nowMs: Date.now() },
    ["localhost"],
  );
  const server = createHttps({ key, cert: certificate }, (_request, response) => {
    response.setHeader("Date", new Date(Date.now() + offsetMs).toUTCString());
    response.statusCode = 401;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe("certificates of the hub", () => {
  test("of an unknown authority, then the right one without a restart", async () => {
    const { running, ca } = await hubWith(["localhost"], Date.now(), 30);
    const config = keyConfig(running);
    const link = testLink(config);
    const error = await link.fail();
    expect(error).toMatchObject({ code: "UPLINK_CERTIFICATE", retry: "backoff" });
    expect(error.message).toMatch(
      /localhost:\d+ is not signed by an authority that this box trusts \(\w+\); issued by Own authority$/,
    );
    expect(error.hint).toContain("uplink.ca");
    writeFileSync(config.caPath ?? "", ca);
    await (await link.open()).send(outgoing("trusted"));
  });

  test("for another name", async () => {
    const { running, ca } = await hubWith(["hub.example"], Date.now(), 30);
    const error = await testLink(keyConfig(running, { ca })).fail();
    expect(error).toMatchObject({
      code: "UPLINK_CERTIFICATE",
      message: expect.stringMatching(/another name \(DNS:hub\.example\)/),
    });
  });

  test("expired: both times are said; by the clock's fault when the hub's clock says so", async () => {
    const { running, ca } = await hubWith(["localhost"], Date.now() - 40 * DAY_MS, 30);
    const error = await testLink(keyConfig(running, { ca })).fail();
    expect(error.code).toBe("UPLINK_CERTIFICATE");
    expect(error.message).toMatch(
      /expired: valid from \S+Z to \S+Z, issued by Own authority; this box's clock says \S+Z$/,
    );
    const ahead = await testLink(keyConfig(running, { ca }), { httpsPort: await timeServer(-20 * DAY_MS) }).fail();
    expect(ahead).toMatchObject({ code: "UPLINK_CLOCK", message: expect.stringMatching(/, the hub's says \S+Z$/) });
    expect(ahead.hint).toContain("NTP");
  });

  test("not valid yet: this box's clock is behind", async () => {
    const { running, ca } = await hubWith(["localhost"], Date.now() + 10 * DAY_MS, 30);
    const error = await testLink(keyConfig(running, { ca })).fail();
    expect(error).toMatchObject({
      code: "UPLINK_CLOCK",
      message: expect.stringMatching(/not valid yet.*valid from.*clock says/),
    });
  });
});

describe("clocks", () => {
  test("a token that has expired by the hub's clock: cut off, then told with both times, then well", async () => {
    let offsetMs = 0;
    const clock = { ...systemClock, nowMs: () => Date.now() + offsetMs };
    const running = await runHub({ clock });
    const link = testLink(keyConfig(running), { httpsPort: await timeServer(3 * 3_600_000) });
    const session = await link.open();
    offsetMs = 3 * 3_600_000;
    // The hub looks at the end of tokens when it hears of a client and every half a minute; a new connection shows at once.
    await session[Symbol.asyncDispose]();
    const error = await link.fail();
    expect(error).toMatchObject({ code: "UPLINK_CLOCK", retry: "backoff" });
    const [hub, box] = [...error.message.matchAll(/\d{4}-\S+Z/g)].map(([text]) => Date.parse(text));
    expect((hub ?? 0) - (box ?? 0)).toBeGreaterThan(2.9 * 3_600_000);
    expect(error.hint).toContain("NTP");
    offsetMs = 0;
    await (await link.open()).send(outgoing("in time"));
  });

  test("clocks that differ by a little are mentioned beside another reason", async () => {
    const running = await runHub();
    const config = keyConfig(running, { key: Buffer.alloc(32, 1).toString("base64") });
    const error = await testLink(config, { httpsPort: await timeServer(-600_000) }).fail();
    expect(error.code).toBe("UPLINK_IDENTITY");
    expect(error.hint).toMatch(/Besides, the clocks differ/);
  });
});

test("over a WebSocket the causes are the same: authority, another program, another path, nobody, disabled", async () => {
  const running = await runHub();
  const [key, cert] = ["server.key", "server.pem"].map((name) => readFileSync(join(running.folder, name), "utf8"));
  if (key === undefined || cert === undefined) throw new Error("no certificate");
  const server = createHttps({ key, cert });
  let isHub = false;
  server.on("upgrade", (request, socket, head) => {
    if (isHub) running.mqtt.handleUpgrade(request, socket, head);
    else socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const other = await makeAuthority({ commonName: "other", days: 10, nowMs: Date.now() });
  const linkTo = (wanted: { port: number; ca?: string }) =>
    testLink(keyConfig(running, { ...wanted, more: { transport: "mqtt-ws" } }), { connectMsMax: 2_000 });
  expect(await linkTo({ port, ca: other.certificate }).fail()).toMatchObject({
    code: "UPLINK_CERTIFICATE",
    message: expect.stringContaining("not signed by an authority that this box trusts"),
  });
  const link = linkTo({ port });
  expect(await link.fail()).toMatchObject({
    code: "UPLINK_UNREACHABLE",
    message: `What answers at localhost:${port} is no hub: Unexpected server response: 404`,
  });
  expect((await linkTo({ port: 1 }).fail()).message).toBe("Nobody takes connections at localhost:1 (refused)");
  isHub = true;
  running.hub.registry.update({ deviceId: DEVICE }, { status: "disabled" });
  expect((await link.fail()).code).toBe("UPLINK_IDENTITY");
  running.hub.registry.update({ deviceId: DEVICE }, { status: "enabled" });
  await (await link.open()).send(outgoing("again"));
});

test("a file of the key that is gone or broken is told by its name, and read anew when it is right", async () => {
  const running = await runHub();
  const config = keyConfig(running);
  if (config.identity.kind !== "connection-string") throw new Error("it has a key");
  const { connectionStringPath: path } = config.identity;
  const right = readFileSync(path, "utf8");
  const link = testLink(config);
  expect(link.connector.description).toBe(`localhost as device ${DEVICE} (key)`);
  for (const [text, message] of [
    ["HostName=localhost;DeviceId=box-7\n", /holds no connection string of a device: it has no SharedAccessKey/],
    [undefined, /can't be read: ENOENT/],
  ] as const) {
    if (text === undefined) rmSync(path);
    else writeFileSync(path, text);
    const error = await link.fail();
    expect(error).toMatchObject({ code: "UPLINK_CONFIG", message: expect.stringMatching(message) });
    expect(error.message).toContain(path);
    expect(await link.connector.probe(AbortSignal.timeout(2_000))).toBe(false);
  }
  writeFileSync(path, right);
  await (await link.open()).send(outgoing("again"));
});

describe("certificates of the box", () => {
  test.each([
    [
      "with another thumbprint",
      30,
      0,
      "UPLINK_IDENTITY",
      /^The hub does not let this box in: localhost as device box-7 \(certificate\)$/,
    ],
    ["that has expired", 10, -20, "UPLINK_IDENTITY", /its certificate expired on \S+Z; this box's clock says/],
    ["that is not valid yet", 10, 20, "UPLINK_CLOCK", /its certificate begins on \S+Z, but this box's clock says/],
  ] as const)("%s", async (_what, days, madeInDays, code, message) => {
    const running = await runHub();
    const made = await makeDeviceCertificate(undefined, {
      commonName: DEVICE,
      days,
      nowMs: Date.now() + madeInDays * DAY_MS,
    });
    running.hub.registry.create(
      { deviceId: DEVICE },
      {
        authentication: {
          type: "selfSigned",
          symmetricKey: { primaryKey: null, secondaryKey: null },
          x509Thumbprint: { primaryThumbprint: "AB".repeat(20), secondaryThumbprint: null },
        },
      },
    );
    expect(new X509Certificate(made.certificate).subject).toContain(DEVICE);
    const config = uplinkConfig(
      {
        kind: "x509",
        hostName: `localhost:${running.mqtt.port}`,
        deviceId: DEVICE,
        certificatePath: fileOf("box.pem", made.certificate),
        privateKeyPath: fileOf("box.key", made.key),
      },
      { caPath: fileOf("ca.pem", running.ca) },
    );
    expect(await testLink(config).fail()).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe("what answers in place of a hub", () => {
  async function serverThat(answer: "is silent" | "talks plainly" | "hangs up"): Promise<number> {
    const server = createTcp((socket) => {
      socket.on("error", () => undefined);
      if (answer === "hangs up") socket.end();
      if (answer === "talks plainly") socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    onTestFinished(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  async function tlsServer(running: RunningHub, returnCode: number | undefined): Promise<number> {
    const authority = await makeAuthority({ commonName: "x", days: 10, nowMs: Date.now() });
    const { certificate, key } = await makeServerCertificate(authority, { days: 5, nowMs: Date.now() }, ["localhost"]);
    const server = createTls({ key, cert: certificate }, (socket) => {
      socket.on("error", () => undefined);
      const packets = parser();
      packets.on("packet", ({ cmd }) => {
        if (cmd !== "connect" || returnCode === undefined) return;
        socket.end(generate({ cmd: "connack", returnCode, sessionPresent: false }));
      });
      socket.on("data", (bytes) => packets.parse(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    onTestFinished(() => void server.close());
    caOf.set(running, authority.certificate);
    return (server.address() as AddressInfo).port;
  }
  const caOf = new WeakMap<RunningHub, string>();

  test.each([
    ["hangs up", /the connection was cut during the TLS handshake/],
    ["is silent", /the connection is made, but the TLS handshake gets no answer$/],
    ["talks plainly", /does not speak TLS as a hub does/],
  ] as const)("a server that %s", async (answer, sentence) => {
    const running = await runHub();
    const config = keyConfig(running, { port: await serverThat(answer) });
    const error = await testLink(config, { connectMsMax: 700 }).fail();
    expect(error).toMatchObject({ code: "UPLINK_UNREACHABLE", message: expect.stringMatching(sentence) });
  });

  test.each([
    [undefined, "UPLINK_UNREACHABLE", /the hub does not answer the login$/],
    [3, "UPLINK_UNREACHABLE", /answers that it is not available just now/],
    [4, "UPLINK_IDENTITY", /does not let this box in/],
    [5, "UPLINK_IDENTITY", /does not let this box in/],
  ] as const)("a login answered with %s", async (returnCode, code, sentence) => {
    const running = await runHub();
    const port = await tlsServer(running, returnCode);
    const config = keyConfig(running, { port, ca: caOf.get(running) ?? "" });
    const error = await testLink(config, { connectMsMax: 700 }).fail();
    expect(error).toMatchObject({ code, message: expect.stringMatching(sentence) });
  });
});

test("over a WebSocket a loss is told as over MQTT: cut by the hub, reset, silent", async () => {
  const running = await runHub();
  const [key, cert] = ["server.key", "server.pem"].map((name) => readFileSync(join(running.folder, name), "utf8"));
  if (key === undefined || cert === undefined) throw new Error("no certificate");
  const server = createHttps({ key, cert });
  server.on("upgrade", running.mqtt.handleUpgrade);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const proxy = await new TcpProxy((server.address() as AddressInfo).port).listen();
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const config = keyConfig(running, { port: proxy.port, more: { transport: "mqtt-ws" } });
  const link = testLink(config, { keepaliveS: 1, connectMsMax: 2_000 });
  for (const [mode, sentence] of [
    ["pass", /^The connection was closed by the hub or by something on the way after/],
    ["reset", /was cut \(E\w+\) after|was closed by the hub or by something on the way after/],
    ["blackhole", /does not answer any more/],
  ] as const) {
    proxy.mode = "pass";
    const session = await link.open();
    await session.send(outgoing(mode));
    if (mode === "pass") running.hub.links.get({ deviceId: DEVICE })?.close("a test");
    proxy.mode = mode;
    expect((await session.lost).message, mode).toMatch(sentence);
    await session[Symbol.asyncDispose]();
  }
});

test("numbers in the text of a socket's error are no answer of the hub", () => {
  const address = {
    host: "hub",
    port: 8883,
    hubName: "hub",
    deviceId: DEVICE,
    moduleId: undefined,
    proof: "key" as const,
    connectionString: undefined,
    x509: undefined,
    ca: undefined,
  };
  const told = (message: string, code?: string) =>
    connectError({
      error: Object.assign(new Error(message), code === undefined ? {} : { code }),
      phase: "tcp",
      address,
      transport: "mqtt",
    }).code;
  expect(told("C0401F:error:0A00010B:SSL routines", "ERR_SSL_WRONG_VERSION_NUMBER")).toBe("UPLINK_UNREACHABLE");
  expect(told("connect ETIMEDOUT 10.4.0.1:40123", "ETIMEDOUT")).toBe("UPLINK_UNREACHABLE");
  expect(
    told("mqtt.js returned Failure on first connection (Not authorized): Unable to establish a connection error"),
  ).toBe("UPLINK_UNREACHABLE");
  expect(told("Connection refused: Not authorized", "5")).toBe("UPLINK_IDENTITY");
});
