import { Client as DeviceClient } from "azure-iot-device";
import { Mqtt } from "azure-iot-device-mqtt";
import { expect, onTestFinished, test } from "vitest";
import { type RunningLocalHub, runLocalHub } from "../../../test/support/local-hub.ts";
import { deviceConnectionString } from "../connection-strings.ts";
import type { Identity, JsonMap } from "../ports.ts";

// Goal: what a service leaves to the hub, configurations, deployments and jobs, is done, and its status is true.

async function untilTrue(what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
  for (const untilMs = performance.now() + 15_000; performance.now() < untilMs; ) {
    if (await ask()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within 15 s: ${what}`);
}

function device({ local }: RunningLocalHub, deviceId: string, tags: JsonMap, iotEdge = false): void {
  local.hub.registry.create({ deviceId }, { capabilities: { iotEdge } });
  local.hub.twins.write({ deviceId }, { tags }, "patch");
}

const desiredOf = ({ local }: RunningLocalHub, identity: Identity): JsonMap =>
  local.hub.twins.get(identity).desired.values;

test("a configuration reaches the devices of its condition; the higher priority wins; those that come later get it too", async () => {
  const running = await runLocalHub();
  const { registry } = running;
  device(running, "a", { site: "oslo" });
  device(running, "b", { site: "redmond" });
  running.local.hub.twins.write({ deviceId: "a" }, { desired: { own: 1, rate: { old: true } } }, "patch");
  const configuration = (id: string, priority: number, level: number) => ({
    id,
    content: { deviceContent: { "properties.desired.rate": { level } } },
    targetCondition: "tags.site = 'oslo'",
    priority,
    metrics: { queries: { high: `SELECT deviceId FROM devices WHERE properties.desired.rate.level = ${level}` } },
  });
  await registry.addConfiguration(configuration("low", 1, 10) as never);
  await untilTrue(
    "low is applied",
    () => JSON.stringify(desiredOf(running, { deviceId: "a" }).rate) === '{"level":10}',
  );
  await registry.addConfiguration(configuration("high", 2, 20) as never);
  await untilTrue(
    "high is applied",
    () => JSON.stringify(desiredOf(running, { deviceId: "a" }).rate) === '{"level":20}',
  );
  expect(desiredOf(running, { deviceId: "a" })).toEqual({ own: 1, rate: { level: 20 } });
  expect(desiredOf(running, { deviceId: "b" })).toEqual({});
  device(running, "c", { site: "oslo" });
  await untilTrue("the late one has it", () => desiredOf(running, { deviceId: "c" }).rate !== undefined);
  const metricsOf = async (id: string) => {
    const { systemMetrics, metrics } = (await registry.getConfiguration(id)).responseBody as unknown as {
      systemMetrics: { results: object };
      metrics: { results: object };
    };
    return { system: systemMetrics.results, own: metrics.results };
  };
  await untilTrue("the counts are true", async () =>
    JSON.stringify(await metricsOf("high")).includes('"targetedCount":2'),
  );
  expect(await metricsOf("high")).toEqual({ system: { targetedCount: 2, appliedCount: 2 }, own: { high: 2 } });
  expect(await metricsOf("low")).toEqual({ system: { targetedCount: 2, appliedCount: 0 }, own: { high: 0 } });
  const applied = await registry
    .createQuery("SELECT deviceId FROM devices WHERE configurations.[[high]].status = 'Applied'")
    .next();
  expect(applied.result).toEqual([{ deviceId: "a" }, { deviceId: "c" }]);
  await registry.removeConfiguration("high");
  await untilTrue("low is back", () => JSON.stringify(desiredOf(running, { deviceId: "c" }).rate) === '{"level":10}');
});

test("modules are configured, and edge devices get their deployment with its layers, now or by a condition", async () => {
  const running = await runLocalHub();
  const { registry, local } = running;
  device(running, "edge", { site: "oslo" }, true);
  device(running, "plain", { site: "oslo" });
  local.hub.registry.create({ deviceId: "plain", moduleId: "scorer" }, {});
  await registry.addConfiguration({
    id: "scorers",
    content: { moduleContent: { "properties.desired.threshold": 0.5 } },
    targetCondition: "FROM devices.modules WHERE moduleId = 'scorer'",
    priority: 1,
  } as never);
  const deployment = (id: string, priority: number, modulesContent: object) =>
    registry.addConfiguration({
      id,
      content: { modulesContent },
      targetCondition: "tags.site = 'oslo'",
      priority,
    } as never);
  // It would also fit the deployed collector, whose properties are the deployment's alone.
  await registry.addConfiguration({
    id: "collectors",
    content: { moduleContent: { "properties.desired.rate": 99 } },
    targetCondition: "FROM devices.modules WHERE moduleId = 'collector'",
    priority: 9,
  } as never);
  await deployment("base", 1, {
    $edgeAgent: { "properties.desired": { modules: { collector: { version: "1" } } } },
    collector: { "properties.desired": { rate: 1 } },
  });
  await deployment("layer", 5, { $edgeAgent: { "properties.desired.modules.extra": { version: "2" } } });
  await untilTrue(
    "the module is configured",
    () => desiredOf(running, { deviceId: "plain", moduleId: "scorer" }).threshold === 0.5,
  );
  await untilTrue("both layers are there", () =>
    JSON.stringify(desiredOf(running, { deviceId: "edge", moduleId: "$edgeAgent" })).includes("extra"),
  );
  expect(desiredOf(running, { deviceId: "edge", moduleId: "$edgeAgent" })).toEqual({
    modules: { collector: { version: "1" }, extra: { version: "2" } },
  });
  expect(desiredOf(running, { deviceId: "edge", moduleId: "collector" })).toEqual({ rate: 1 });
  expect(local.hub.registry.get({ deviceId: "plain", moduleId: "collector" })).toBeUndefined();
  const { version } = local.hub.twins.get({ deviceId: "edge", moduleId: "collector" });
  local.hub.twins.write({ deviceId: "plain", moduleId: "scorer" }, { desired: { threshold: 0.1 } }, "patch");
  await untilTrue(
    "another sweep is over",
    () => desiredOf(running, { deviceId: "plain", moduleId: "scorer" }).threshold === 0.5,
  );
  expect(local.hub.twins.get({ deviceId: "edge", moduleId: "collector" }).version).toBe(version);
  device(running, "other", {}, true);
  await registry.applyConfigurationContentOnDevice("other", {
    modulesContent: { collector: { "properties.desired": { rate: 7 } } },
  } as never);
  expect(desiredOf(running, { deviceId: "other", moduleId: "collector" })).toEqual({ rate: 7 });
});

test("a configuration that could not be carried out is refused, and one that is there keeps its content", async () => {
  const { registry } = await runLocalHub();
  const add = (more: object) =>
    registry.addConfiguration({
      id: "c1",
      content: { deviceContent: { "properties.desired": { a: 1 } } },
      ...more,
    } as never);
  const refused = { name: "ArgumentError" };
  await expect(add({ targetCondition: "tags.site ==== 'x'" })).rejects.toMatchObject(refused);
  await expect(add({ content: { deviceContent: { tags: { a: 1 } } } })).rejects.toMatchObject(refused);
  await expect(add({ content: {} })).rejects.toMatchObject(refused);
  await expect(add({ metrics: { queries: { m: "SELECT nothing" } } })).rejects.toMatchObject(refused);
  await expect(add({ id: "Not An Id" })).rejects.toMatchObject(refused);
  const { responseBody: added } = await add({ targetCondition: "" });
  await expect(add({})).rejects.toMatchObject({ response: { statusCode: 409 } });
  await registry.updateConfiguration({ ...added, priority: 9 } as never);
  expect((await registry.getConfiguration("c1")).responseBody).toMatchObject({ priority: 9 });
  await expect(registry.updateConfiguration({ ...added, priority: 8 } as never)).rejects.toMatchObject({
    name: "InvalidEtagError",
  });
  const changed = { ...added, content: { deviceContent: { "properties.desired": { a: 2 } } } };
  await expect(registry.updateConfiguration(changed as never, true)).rejects.toMatchObject(refused);
});

test("jobs: a twin update over many devices, methods of which some fail, one cancelled, and all found again", async () => {
  const running = await runLocalHub();
  const { jobs, registry, local, ca } = running;
  for (const id of ["a", "b", "c"]) device(running, id, { floor: id === "c" ? 2 : 1 });
  const statusOf = async (id: string) =>
    ((await jobs.getJob(id)) as unknown as { jobStatus: { status: string } }).jobStatus;
  await jobs.scheduleTwinUpdate("tags", "tags.floor = 1", { tags: { seen: true } } as never, new Date(), 60);
  await untilTrue("the twins are updated", async () => (await statusOf("tags")).status === "completed");
  expect(["a", "b", "c"].map((deviceId) => local.hub.twins.get({ deviceId }).tags.seen)).toEqual([
    true,
    true,
    undefined,
  ]);

  const entry = local.hub.registry.get({ deviceId: "a" });
  if (entry === undefined) throw new Error("no device");
  const port = Number(new URL(local.addresses.mqtt).port);
  const client = DeviceClient.fromConnectionString(deviceConnectionString(entry, "localhost", port), Mqtt);
  onTestFinished(async () => {
    await client.close().catch(() => undefined);
  });
  await client.setOptions({ ca });
  await client.open();
  let asked = 0;
  client.onDeviceMethod("ping", (_request, response) => {
    asked++;
    void response.send(200, { pong: true });
  });
  await untilTrue("the device listens", () => local.hub.links.get({ deviceId: "a" })?.invoke !== undefined);
  await jobs.scheduleDeviceMethod(
    "ping",
    "tags.floor = 1",
    { methodName: "ping", responseTimeoutInSeconds: 5 },
    new Date(),
    60,
  );
  await untilTrue("the methods are through", async () => (await statusOf("ping")).status === "completed");
  expect(asked).toBe(1);
  expect(await statusOf("ping")).toMatchObject({
    deviceJobStatistics: { deviceCount: 2, succeededCount: 1, failedCount: 1 },
  });
  const rows = await registry.createQuery("SELECT * FROM devices.jobs WHERE jobId = 'ping'").next();
  expect(rows.result).toMatchObject([
    { deviceId: "a", status: "completed", outcome: { deviceMethodResponse: { status: 200, payload: { pong: true } } } },
    { deviceId: "b", status: "failed", error: { code: "DeviceNotOnline" } },
  ]);

  await jobs.scheduleTwinUpdate("later", "*", { tags: { late: true } } as never, new Date(Date.now() + 3_600_000), 60);
  expect((await statusOf("later")).status).toBe("queued");
  await jobs.cancelJob("later");
  expect((await statusOf("later")).status).toBe("cancelled");
  await expect(jobs.scheduleTwinUpdate("later", "*", {} as never, new Date(), 60)).rejects.toMatchObject({
    response: { statusCode: 409 },
  });
  const found = await jobs.createQuery("scheduleUpdateTwin" as never, undefined as never, 1).next();
  expect(found.result).toMatchObject([{ jobId: "later" }]);
});

test("a job that waits survives a restart of the hub and runs then", async () => {
  const first = await runLocalHub();
  device(first, "a", {});
  await first.jobs.scheduleTwinUpdate("j", "*", { tags: { done: 1 } } as never, new Date(Date.now() + 1_500), 60);
  await first.stop();
  const second = await runLocalHub({ folder: first.folder });
  await untilTrue("the job ran", () => second.local.hub.twins.get({ deviceId: "a" }).tags.done === 1);
});
