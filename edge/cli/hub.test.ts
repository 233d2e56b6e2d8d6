import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli, startCli, temporaryFolder } from "./testing.ts";

const { Client, Message } = createRequire(import.meta.url)("azure-iot-device") as typeof import("azure-iot-device");
const { Mqtt } = createRequire(import.meta.url)("azure-iot-device-mqtt") as typeof import("azure-iot-device-mqtt");

const FREE = ["--port-mqtt", "0", "--port-https", "0", "--port-amqp", "0", "--port-amqp-plain", "0"];

/** Sends with what `hub devices add` printed, and nothing else. */
async function send(answer: {
  connectionString: string;
  ca: string;
  certificate?: string;
  key?: string;
}): Promise<void> {
  const { connectionString, ca, certificate, key } = answer;
  const client = Client.fromConnectionString(connectionString, Mqtt);
  client.on("error", () => undefined);
  const proof =
    certificate === undefined || key === undefined
      ? {}
      : { cert: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
  await client.setOptions({ ca: readFileSync(ca, "utf8"), ...proof });
  await client.open();
  const message = new Message("hello");
  message.properties.add("kind", "greeting");
  await client.sendEvent(message);
  await client.close();
}

test("hub: runs, takes devices by key and by certificate, shows what they send, and ends on a signal", async () => {
  const cwd = temporaryFolder();
  const hub = startCli(["hub", "--json", ...FREE], { cwd });
  const [line] = await hub.untilPrinted(/^\{.*"ready":true.*\}$/m);
  const { connections, pid } = JSON.parse(line) as { connections: string; pid: number };
  expect(statSync(connections).mode & 0o777).toBe(0o600);
  expect(pid).toBe(hub.child.pid);

  const tail = startCli(["hub", "tail", "--since", "1h"], { cwd });
  for (const [id, more] of [
    ["box-7", []],
    ["box-8", ["--x509"]],
  ] as const) {
    const added = await runCli(["hub", "devices", "add", id, ...more, "--json"], { cwd });
    expect({ code: added.code, stderr: added.stderr }).toEqual({ code: 0, stderr: "" });
    await send(JSON.parse(added.stdout) as { connectionString: string; ca: string });
    await tail.untilPrinted(new RegExp(`${id} .* \\d/\\d .* 5 B .* kind=greeting`));
  }
  tail.child.kill("SIGINT");
  expect((await tail.ended).code).toBe(0);

  const again = await runCli(["hub", "devices", "add", "box-7"], { cwd });
  expect(again.code).toBe(2);
  expect(again.stderr).toMatch(/registered already/);
  const shown = await runCli(["hub", "connection-string", "box-7"], { cwd });
  expect(shown.stdout).toMatch(
    /^HostName=localhost;DeviceId=box-7;SharedAccessKey=.+;GatewayHostName=localhost:\d+\n$/,
  );
  const events = await runCli(["hub", "connection-string", "--events"], { cwd });
  expect(events.stdout).toMatch(/^Endpoint=sb:\/\/localhost:\d+\/;.*UseDevelopmentEmulator=true\n$/);

  const second = await runCli(["hub", ...FREE], { cwd });
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/Another hub may run on this folder/);

  hub.child.kill("SIGINT");
  expect((await hub.ended).code).toBe(0);
  // The registry is there also when nothing runs.
  const list = await runCli(["hub", "devices", "list"], { cwd });
  // From elsewhere, the folder named before the sub-command or behind it.
  const data = ["--data", join(cwd, "data", "hub")];
  for (const args of [
    ["hub", ...data, "devices", "list"],
    ["hub", "devices", "list", ...data],
  ])
    expect((await runCli(args, { cwd: temporaryFolder() })).stdout).toBe(list.stdout);
  expect(list.stdout).toMatch(/box-7 .* sas\n.*box-8 .* selfSigned\n/);
});

test("hub: what is wrong is told before anything starts", async () => {
  const cwd = temporaryFolder();
  const refusals = (
    [
      [["hub", "--edition", "S9"], /"S9" is not an edition/],
      [["hub", "--port-mqtt", "99999"], /is not a port/],
      [["hub", ...FREE, "--consumer-group", "a/b"], /"a\/b" is not a consumer group/],
      [["hub", "tail"], /no hub found: looked in/],
      [["hub", "connection-string", "--data", join(cwd, "none")], /no hub found/],
    ] as const
  ).map(async ([args, reason]) => {
    const run = await runCli(args, { cwd });
    expect(run.code).not.toBe(0);
    expect(run.stderr).toMatch(reason);
  });
  await Promise.all(refusals);
});
