import { spawn } from "node:child_process";
import { createHmac, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { type RunningLocalHub, runLocalHub } from "../../../test/support/local-hub.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { deviceConnectionString } from "../connection-strings.ts";
import type { RegistryEntry } from "../ports.ts";

// Goal: a module that IoT Edge would start connects to this hub by its environment alone, in both forms that the SDK knows.

const CHILD = join(import.meta.dirname, "..", "..", "..", "test", "support", "module-client-child.ts");
const identity = { deviceId: "edge", moduleId: "uplink" };

function registerModule({ local }: RunningLocalHub): RegistryEntry {
  local.hub.registry.create({ deviceId: identity.deviceId }, { capabilities: { iotEdge: true } });
  const entry = local.hub.registry.create(identity, {});
  local.hub.twins.write(identity, { desired: { level: 4 } }, "patch");
  return entry;
}

/** Starts the module, lets it do its work, calls it, ends it. */
async function runModule({ local, services }: RunningLocalHub, env: Readonly<Record<string, string>>): Promise<void> {
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CHILD], {
    env: { PATH, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const failed = once(child, "exit").then(([code]) => Promise.reject(new Error(`the module ended with ${code}`)));
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), "line", { signal: AbortSignal.timeout(20_000) }),
    failed,
  ]);
  failed.catch(() => undefined);
  expect(JSON.parse(String(line))).toEqual({ level: 4 });
  const { result } = await services.invokeDeviceMethod("edge", "uplink", {
    methodName: "ping",
    connectTimeoutInSeconds: 5,
  });
  expect(result).toEqual({ status: 200, payload: "pong" });
  child.stdin.end();
  await once(child, "exit");
  const { events } = local.hub;
  const found = Array.from({ length: events.partitions }, (_, partition) =>
    events.read(partition, 0, { events: 10, bytes: 1e6 }),
  );
  expect(found.flat()).toMatchObject([{ source: identity, system: { outputName: "readings" } }]);
}

function ask(
  at: { socketPath: string } | { port: number },
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const asked = request(
      { ...at, host: "127.0.0.1", method, path: `${path}?api-version=2018-06-28`, headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> }),
        );
      },
    );
    asked.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

test("ModuleClient.fromEnvironment with EdgeHubConnectionString and EdgeModuleCACertificateFile", async () => {
  const running = await runLocalHub();
  const { local } = running;
  const entry = registerModule(running);
  await runModule(running, {
    EdgeHubConnectionString: deviceConnectionString(entry, "localhost", Number(new URL(local.addresses.mqtt).port)),
    EdgeModuleCACertificateFile: local.addresses.ca,
  });
});

test.each(["port", "unix socket"])(
  "ModuleClient.fromEnvironment with IOTEDGE_* and the workload API on a %s",
  async (at) => {
    const socketPath = join(tempFolder(), "w.sock");
    const running = await runLocalHub({ workload: at === "port" ? { port: 0 } : { socketPath } });
    const { local } = running;
    const { generationId } = registerModule(running);
    if (at !== "port") expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    await runModule(running, {
      IOTEDGE_WORKLOADURI: local.addresses.workload ?? "",
      IOTEDGE_DEVICEID: "edge",
      IOTEDGE_MODULEID: "uplink",
      IOTEDGE_MODULEGENERATIONID: generationId,
      IOTEDGE_IOTHUBHOSTNAME: "localhost",
      IOTEDGE_GATEWAYHOSTNAME: `localhost:${new URL(local.addresses.mqtt).port}`,
      IOTEDGE_AUTHSCHEME: "sasToken",
      IOTEDGE_APIVERSION: "2018-06-28",
    });
  },
);

test("signs with the module's own key, and for nobody else; its certificates are the authority's", async () => {
  const running = await runLocalHub({ workload: { port: 0 } });
  const at = { port: Number(new URL(running.local.addresses.workload ?? "").port) };
  const { generationId, authentication } = registerModule(running);
  running.local.hub.registry.create({ deviceId: "plain" }, {});
  const stranger = running.local.hub.registry.create({ deviceId: "plain", moduleId: "m" }, {});
  const data = Buffer.from("localhost\n1");
  const body = { keyId: "primary", algo: "HMACSHA256", data: data.toString("base64") };
  const signed = await ask(at, "POST", `/modules/uplink/genid/${generationId}/sign`, body);
  const key = Buffer.from(authentication.symmetricKey.primaryKey ?? "", "base64");
  expect(signed).toEqual({ status: 200, body: { digest: createHmac("sha256", key).update(data).digest("base64") } });
  expect((await ask(at, "POST", "/modules/uplink/genid/1/sign", body)).status).toBe(404);
  // A module of a device that is no edge device has no gateway to go through.
  expect((await ask(at, "POST", `/modules/m/genid/${stranger.generationId}/sign`, body)).status).toBe(404);
  expect((await ask(at, "POST", `/modules/uplink/genid/${generationId}/sign`, { ...body, algo: "MD5" })).status).toBe(
    400,
  );
  expect((await ask(at, "GET", "/trust-bundle")).body).toEqual({ certificate: running.ca });
  const expiration = new Date(Date.now() + 3 * 86_400_000).toISOString();
  const path = `/modules/uplink/genid/${generationId}/certificate`;
  const server = await ask(at, "POST", `${path}/server`, { commonName: "box.local", expiration });
  const own = await ask(at, "POST", `${path}/identity`, { expiration });
  const authority = new X509Certificate(running.ca);
  for (const { status, body: answer } of [server, own]) {
    expect(status).toBe(201);
    const certificate = new X509Certificate(String(answer.certificate));
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(Math.abs(certificate.validToDate.getTime() - Date.parse(expiration))).toBeLessThan(5_000);
  }
  expect(new X509Certificate(String(server.body.certificate)).checkHost("box.local")).toBe("box.local");
  expect(new X509Certificate(String(own.body.certificate)).subject).toBe("CN=edge/uplink");
});
