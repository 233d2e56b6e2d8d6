import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { type HubAddresses, readHubAddresses, readHubConnections } from "./hub-file.ts";

const { EventHubConsumerClient } = await import("@azure/event-hubs");
const require = createRequire(import.meta.url);
const { Client, Message } = require("azure-iot-device") as typeof import("azure-iot-device");
const { Mqtt } = require("azure-iot-device-mqtt") as typeof import("azure-iot-device-mqtt");
const MAIN = join(import.meta.dirname, "main.ts");

function start(args: readonly string[]) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const ready = once(createInterface({ input: child.stdout }), "line", { signal: AbortSignal.timeout(20_000) }).then(
    ([line]) => JSON.parse(String(line)) as HubAddresses,
  );
  ready.catch(() => undefined);
  return { child, ready, ended: once(child, "exit"), complaint: () => complaint };
}

async function send({ ca, connections }: HubAddresses, deviceId: string, body: string): Promise<void> {
  const client = Client.fromConnectionString(readHubConnections(connections).devices[deviceId] ?? "", Mqtt);
  client.on("error", () => undefined);
  await client.setOptions({ ca: readFileSync(ca, "utf8") });
  await client.open();
  await client.sendEvent(new Message(body));
  await client.close();
}

/** Every event from the beginning, with Microsoft's client. */
async function received({ connections }: HubAddresses, count: number, group = "$Default"): Promise<string[]> {
  const client = new EventHubConsumerClient(group, readHubConnections(connections).eventsPlain ?? "");
  const bodies: string[] = [];
  await new Promise<void>((resolve, reject) => {
    client.subscribe(
      {
        processEvents: async (events) => {
          bodies.push(...events.map(({ body }) => (Buffer.isBuffer(body) ? body.toString() : String(body))));
          if (bodies.length >= count) resolve();
        },
        processError: async (error) => reject(error),
      },
      { startPosition: { offset: "-1" }, maxBatchSize: 100, maxWaitTimeInSeconds: 1 },
    );
  });
  await client.close();
  return bodies.sort();
}

test("says where it listens, ends when its parent is gone, and has after kill -9 what it acknowledged", async () => {
  const folder = tempFolder();
  const args = ["--folder", folder, "--port-amqp-plain", "0", "--device", "box", "--consumer-group", "ingest"];
  const first = start(args);
  const addresses = await first.ready;
  expect(addresses).toMatchObject({ hostName: "localhost", workload: null, pid: first.child.pid });
  expect(readHubAddresses(folder)).toEqual(addresses);
  expect(statSync(addresses.connections).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, "hub.json"), "utf8")).not.toMatch(/SharedAccessKey/);
  await send(addresses, "box", "before");
  first.child.kill("SIGKILL");
  await first.ended;

  const second = start(args);
  const again = await second.ready;
  expect(readHubConnections(again.connections).policies).toEqual(readHubConnections(addresses.connections).policies);
  await send(again, "box", "after");
  expect(await received(again, 2)).toEqual(["after", "before"]);
  expect(await received(again, 2, "ingest")).toEqual(["after", "before"]);
  const beganMs = performance.now();
  second.child.stdin.end();
  expect(await second.ended).toEqual([0, null]);
  expect(performance.now() - beganMs).toBeLessThan(6_000);
});

test("a port that is taken, an option that is none, a second hub on the folder: refused in words", async () => {
  const folder = tempFolder();
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  onTestFinished(() => {
    blocker.close();
  });
  const { port } = blocker.address() as { port: number };
  const refusals = (["mqtt", "https", "amqp"] as const).map(async (name) => {
    const taken = start(["--folder", tempFolder(), `--port-${name}`, String(port)]);
    expect((await taken.ended)[0]).toBe(1);
    expect(taken.complaint()).toMatch(new RegExp(`${name} cannot listen on port ${port}`, "i"));
  });
  const wrong = start(["--folder", folder, "--port-mqtt", "many"]);
  expect((await wrong.ended)[0]).toBe(1);
  expect(wrong.complaint()).toMatch(/--port-mqtt is "many"/);
  await Promise.all(refusals);
  const running = start(["--folder", folder]);
  await running.ready;
  const second = start(["--folder", folder]);
  expect((await second.ended)[0]).toBe(1);
  expect(second.complaint()).toMatch(/can't be used/);
  running.child.kill("SIGTERM");
  expect(await running.ended).toEqual([0, null]);
});
