import { existsSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { OPCUACertificateManager } from "node-opcua";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until, watch } from "../../../test/contract/watch.ts";
import { systemClock } from "../../kernel/clock.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { expiryWarnings, listCertificates, trustCertificate } from "./certificates.ts";
import { OpcuaProbe } from "./opcua-probe.ts";
import { subjectOf } from "./own-certificate.ts";
import { newPki, opcuaConnection, opcuaDriver, opcuaMachine, opcuaSignal } from "./testing/harness.ts";
import { MILLS, TestServer } from "./testing/opcua-server.ts";

let server: TestServer;
const machines = [opcuaMachine([opcuaSignal("speed")])];
const pathBefore = process.env.PATH;

beforeAll(async () => {
  server = await new TestServer({
    values: new Map([["speed", 1_201]]),
    server: {
      userManager: { isValidUser: (name: string, password: string) => name === "operator" && password === "right" },
    },
  }).start();
  process.env.PATH = ""; // the client must make its certificate without an openssl program
});
afterAll(async () => {
  process.env.PATH = pathBefore;
  await server[Symbol.asyncDispose]();
});

const secured = (trust: "explicit" | "first-use", password = "right") =>
  opcuaConnection(server.endpointUrl, machines, {
    security: { mode: "sign-and-encrypt", policy: "auto", trust },
    identity: { kind: "user", username: "operator", password },
    connectTimeoutMs: 10_000,
  });

test("P17 an unknown server certificate is refused and kept, trusted by thumbprint, and its expiry is foretold", async () => {
  const pkiPath = newPki();
  await using driver = opcuaDriver(secured("explicit"), { pkiPath });
  const refusal = await driver.connect(AbortSignal.timeout(10_000)).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: "DRIVER_REFUSED", statusCode: StatusCode.BadCertificateUntrusted });
  const rejected = listCertificates(pkiPath).find((each) => each.place === "rejected");
  if (!rejected) throw new Error("the certificate was not kept");
  const { hint } = refusal as { hint: string };
  expect(hint).toContain(rejected.path);
  expect(hint).toContain(`tailstock certs trust ${rejected.thumbprint} --pki ${pkiPath} `);
  const trusted = trustCertificate(pkiPath, rejected.thumbprint.slice(0, 12));
  expect(existsSync(trusted.path) && !existsSync(rejected.path)).toBe(true);
  await using seen = watch(driver);
  await until(() => seen.latest("speed")?.value === 1_201, 8_000, "a value over an encrypted link");
  expect(driver.status().detail).not.toContain("not encrypted");
  const own = listCertificates(pkiPath).find((each) => each.place === "own");
  expect(own?.warning).toBeNull();
  expect(own?.subject.split(", ").sort()).toEqual([`CN=TailstockTest@${hostname()}`, "O=Tailstock"]);
  expect(expiryWarnings(pkiPath, (own?.validToMs ?? 0) - 20 * 86_400_000).join()).toContain("own certificate");
});

test("a certificate that was made earlier, with another subject, goes on being used", async () => {
  const pkiPath = newPki();
  const earlier = new OPCUACertificateManager({ rootFolder: pkiPath, disableFileWatchers: true });
  await earlier.initialize();
  await earlier.createSelfSignedCertificate({
    applicationUri: `urn:${hostname()}:TailstockTest`,
    dns: [hostname()],
    outputFile: path.join(pkiPath, "own/certs/client_certificate.pem"),
    subject: "/CN=Earlier/O=Sterfive",
    startDate: new Date(),
    validity: 30,
  });
  await earlier.dispose();
  const before = listCertificates(pkiPath).map((each) => each.thumbprint);
  expect(before).toHaveLength(1);
  await using driver = opcuaDriver(secured("first-use"), { pkiPath });
  await using seen = watch(driver);
  await until(() => seen.latest("speed")?.value === 1_201, 8_000, "a value over an encrypted link");
  const own = listCertificates(pkiPath).filter((each) => each.place === "own");
  expect(own.map((each) => each.thumbprint)).toEqual(before);
});

test("a name that would break a subject apart does not", () => {
  expect(subjectOf("Line 4/5 a=b", "edge")).toBe("/CN=Line 4-5 a-b@edge/O=Tailstock");
  expect(subjectOf("x".repeat(70), "edge")).toBe(`/CN=${"x".repeat(64)}/O=Tailstock`);
});

test("first use pins the certificate; a wrong password is refused as such; policies are never weakened", async () => {
  const pkiPath = newPki();
  await using wrong = opcuaDriver(secured("first-use", "wrong"), { pkiPath });
  await expect(wrong.connect(AbortSignal.timeout(10_000))).rejects.toMatchObject({
    code: "DRIVER_REFUSED",
    statusCode: StatusCode.BadIdentityTokenRejected,
  });
  await using driver = opcuaDriver(secured("first-use"), { pkiPath });
  await driver.connect(AbortSignal.timeout(10_000));
  expect(existsSync(path.join(pkiPath, "pins.json"))).toBe(true);
  const weak = opcuaConnection(server.endpointUrl, machines, {
    security: { mode: "sign", policy: "Basic256", trust: "any" },
  });
  await using unwilling = opcuaDriver(weak, { pkiPath });
  await expect(unwilling.connect(AbortSignal.timeout(10_000))).rejects.toMatchObject({
    statusCode: StatusCode.BadSecurityPolicyRejected,
  });
});

test("a user certificate opens a session", async () => {
  const userPki = new OPCUACertificateManager({ rootFolder: newPki(), disableFileWatchers: true });
  await userPki.initialize();
  const certificatePath = path.join(userPki.rootDir, "own/certs/user.pem");
  await userPki.createSelfSignedCertificate({
    applicationUri: "urn:operator",
    dns: [],
    outputFile: certificatePath,
    subject: "/CN=operator",
    startDate: new Date(),
    validity: 30,
  });
  const connection = opcuaConnection(server.endpointUrl, machines, {
    security: { mode: "sign-and-encrypt", policy: "Basic256Sha256", trust: "any" },
    identity: { kind: "certificate", certificatePath, privateKeyPath: userPki.privateKey },
    connectTimeoutMs: 10_000,
  });
  await using driver = opcuaDriver(connection, { pkiPath: newPki() });
  await using seen = watch(driver);
  await until(() => seen.latest("speed")?.value === 1_201, 8_000, "a value");
  await userPki.dispose();
});

test("the probe reads and browses without a configuration, and says when it is insecure", async () => {
  const probe = new OpcuaProbe(
    { applicationName: "TailstockTest", pkiPath: newPki() },
    { clock: systemClock, logger: pino({ level: "silent" }) },
  );
  const read = await probe.readNodes(
    server.endpointUrl,
    [`nsu=${MILLS};s=Mill.speed`, "nsu=urn:nowhere;i=1", "i=2259"],
    { mode: "none" },
  );
  expect(read.warning).toContain("neither signed nor encrypted");
  expect(read.nodes[0]).toMatchObject({
    nodeId: `nsu=${MILLS};s=Mill.speed`,
    displayName: "speed",
    nodeClass: "Variable",
    dataType: "Double",
    value: 1_201,
    statusCode: 0,
  });
  expect(read.nodes[1]).toMatchObject({ statusCode: StatusCode.BadNodeIdUnknown, value: null });
  const browsed = await probe.browse(server.endpointUrl, { depth: 2, limit: 400 }, { trust: "any" });
  expect(browsed.mode).toBe("sign-and-encrypt");
  expect(browsed.nodes.find((node) => node.displayName === "speed")).toMatchObject({ level: 1, value: 1_201 });
  expect((await probe.browse(server.endpointUrl, { depth: 3, limit: 5 }, { mode: "none" })).truncated).toBe(true);
  await until(() => server.sessions === 0, 2_000, "no session left");
});
