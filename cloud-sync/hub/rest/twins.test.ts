import { Client as DeviceClient } from "azure-iot-device";
import { Mqtt } from "azure-iot-device-mqtt";
import { expect, onTestFinished, test } from "vitest";
import { type RunningLocalHub, runLocalHub } from "../../../test/support/local-hub.ts";
import { deviceConnectionString } from "../connection-strings.ts";

// Goal: twins, queries and methods, from Microsoft's service SDK to Microsoft's device SDK and back.

async function connect({ local, ca }: RunningLocalHub, deviceId: string): Promise<DeviceClient> {
  const entry = local.hub.registry.get({ deviceId }) ?? local.hub.registry.create({ deviceId }, {});
  const port = Number(new URL(local.addresses.mqtt).port);
  const client = DeviceClient.fromConnectionString(deviceConnectionString(entry, "localhost", port), Mqtt);
  client.on("error", () => undefined);
  onTestFinished(async () => {
    await client.close().catch(() => undefined);
  });
  await client.setOptions({ ca });
  await client.open();
  return client;
}

test("a twin is merged, replaced, cleared, and guarded by its etag", async () => {
  const { registry, local } = await runLocalHub();
  await registry.create({ deviceId: "mill" });
  const { responseBody: first } = await registry.getTwin("mill");
  await registry.updateTwin(
    "mill",
    { tags: { site: "redmond" }, properties: { desired: { rate: 5, old: 1 } } },
    first.etag,
  );
  await expect(registry.updateTwin("mill", { tags: { site: "oslo" } }, first.etag)).rejects.toMatchObject({
    name: "InvalidEtagError",
  });
  const { responseBody: second } = await registry.updateTwin("mill", { properties: { desired: { old: null } } }, "*");
  expect(second).toMatchObject({ tags: { site: "redmond" }, properties: { desired: { rate: 5, $version: 3 } } });
  expect(second.properties.desired.old).toBeUndefined();
  const { responseBody: third } = await registry.updateTwin("mill", { properties: { desired: null } }, "*");
  expect(Object.keys(third.properties.desired).filter((key) => !key.startsWith("$"))).toEqual([]);
  expect(third.tags).toEqual({ site: "redmond" });
  const large = { tags: { text: "x".repeat(4_000), more: "y".repeat(5_000) } };
  await expect(registry.updateTwin("mill", large, "*")).rejects.toMatchObject({ name: "ArgumentError" });
  local.hub.registry.create({ deviceId: "mill", moduleId: "uplink" }, {});
  await registry.updateModuleTwin("mill", "uplink", { properties: { desired: { level: 3 } } }, "*");
  expect((await registry.getModuleTwin("mill", "uplink")).responseBody.properties.desired.level).toBe(3);
});

test("queries over devices and modules come in pages, and what is not understood is refused in words", async () => {
  const { registry, local } = await runLocalHub();
  for (let index = 0; index < 25; index++) {
    const deviceId = `d-${String(index).padStart(2, "0")}`;
    local.hub.registry.create({ deviceId }, {});
    local.hub.twins.write({ deviceId }, { tags: { floor: index % 2 } }, "patch");
  }
  local.hub.registry.create({ deviceId: "d-03", moduleId: "uplink" }, {});
  const query = registry.createQuery("SELECT deviceId FROM devices WHERE tags.floor = 1", 5);
  const pages: string[][] = [];
  while (query.hasMoreResults) {
    const { result } = await query.next(query.continuationToken);
    pages.push((result as { deviceId: string }[]).map(({ deviceId }) => deviceId));
  }
  expect(pages.map(({ length }) => length)).toEqual([5, 5, 2]);
  expect(new Set(pages.flat()).size).toBe(12);
  const modules = await registry.createQuery("SELECT * FROM devices.modules WHERE moduleId = 'uplink'").nextAsTwin();
  expect(modules.result).toMatchObject([{ deviceId: "d-03", moduleId: "uplink" }]);
  const counted = await registry.createQuery("SELECT COUNT() AS n FROM devices WHERE tags.floor = 0").next();
  expect(counted.result).toEqual([{ n: 13 }]);
  await expect(registry.createQuery("SELECT * FROM devices ORDER BY deviceId").next()).rejects.toMatchObject({
    name: "ArgumentError",
    responseBody: expect.stringMatching(/ORDER BY is not supported at 23/),
  });
});

test("a method goes to the device and its answer comes back; nobody there, nobody listening, no answer", async () => {
  const running = await runLocalHub();
  const { services, registry } = running;
  await registry.create({ deviceId: "mill" });
  const ask = (payload: unknown, more: object = {}) =>
    services.invokeDeviceMethod("mill", { methodName: "echo", payload, responseTimeoutInSeconds: 5, ...more });
  const errorcode = (code: string) => ({ response: { headers: { "iothub-errorcode": code } } });
  await expect(ask(1)).rejects.toMatchObject(errorcode("DeviceNotOnline"));
  await expect(services.invokeDeviceMethod("nobody", { methodName: "echo" })).rejects.toMatchObject({
    name: "DeviceNotFoundError",
  });
  // The call waits for the device to come.
  const early = ask({ early: true }, { connectTimeoutInSeconds: 10 });
  const device = await connect(running, "mill");
  device.onDeviceMethod("echo", (request, response) => {
    void response.send(201, { echo: request.payload });
  });
  device.onDeviceMethod("mute", () => undefined);
  expect((await early).result).toEqual({ status: 201, payload: { echo: { early: true } } });
  for (const payload of [null, "", "text", 7, [1, { a: null }], {}]) {
    expect((await ask(payload)).result).toEqual({ status: 201, payload: { echo: payload } });
  }
  await expect(
    services.invokeDeviceMethod("mill", { methodName: "mute", responseTimeoutInSeconds: 1 }),
  ).rejects.toMatchObject({ name: "GatewayTimeoutError" });
});

test("desired properties reach the device, and reported ones the service", async () => {
  const running = await runLocalHub();
  const { registry } = running;
  const device = await connect(running, "mill");
  const twin = await device.getTwin();
  const told = new Promise<unknown>((resolve) => {
    twin.on("properties.desired", (patch: Record<string, unknown>) => {
      if ("rate" in patch) resolve(patch.rate);
    });
  });
  await registry.updateTwin("mill", { properties: { desired: { rate: 9 } } }, "*");
  expect(await told).toBe(9);
  await new Promise<void>((resolve, reject) => {
    twin.properties.reported.update({ version: "1.2" }, (error: Error | null) => (error ? reject(error) : resolve()));
  });
  expect((await registry.getTwin("mill")).responseBody.properties.reported.version).toBe("1.2");
  expect((await registry.getTwin("mill")).responseBody).toMatchObject({ connectionState: "Connected" });
});
