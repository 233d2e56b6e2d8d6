import { request } from "node:https";
import { Registry } from "azure-iothub";
import { expect, test } from "vitest";
import { type RunningLocalHub, runLocalHub } from "../../../test/support/local-hub.ts";
import { signSas } from "../sas.ts";

// Goal: Microsoft's service SDK, as it is, finds in this hub the registry that it knows of IoT Hub.

interface SdkFailure {
  readonly name: string;
  readonly responseBody: string;
  readonly response: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> };
}

async function failureOf(asked: Promise<unknown>): Promise<SdkFailure> {
  try {
    await asked;
  } catch (error) {
    return error as SdkFailure;
  }
  throw new Error("it was answered, a refusal was expected");
}

/** The bare answer to a request of one's own. */
function ask(
  { local, ca }: RunningLocalHub,
  path: string,
  {
    method = "GET",
    token = "",
    headers = {},
    body,
  }: { method?: string; token?: string; headers?: object; body?: unknown } = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, local.addresses.https),
      { method, ca, headers: { authorization: token, "content-type": "application/json", ...headers } },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      },
    );
    asked.on("error", reject).end(typeof body === "object" ? JSON.stringify(body) : body);
  });
}

test("a device is made with keys, found, listed, disabled, and removed", async () => {
  const { registry } = await runLocalHub();
  const { responseBody: made } = await registry.create({ deviceId: "mill:07" });
  expect(made).toMatchObject({ deviceId: "mill:07", status: "enabled", authentication: { type: "sas" } });
  expect(Buffer.from(made.authentication?.symmetricKey?.primaryKey ?? "", "base64")).toHaveLength(32);
  await registry.create({ deviceId: "lathe-01" });
  expect((await registry.list()).responseBody.map(({ deviceId }) => deviceId)).toEqual(["lathe-01", "mill:07"]);
  await registry.update({ deviceId: "mill:07", status: "disabled", statusReason: "stolen" });
  const { responseBody: found, httpResponse } = await registry.get("mill:07");
  expect(found).toMatchObject({ status: "disabled", statusReason: "stolen" });
  expect(found.authentication).toEqual(made.authentication);
  expect(httpResponse.headers.etag).toBe(`"${(found as unknown as { etag: string }).etag}"`);
  expect((await registry.getRegistryStatistics()).responseBody).toEqual({
    totalDeviceCount: 2,
    enabledDeviceCount: 1,
    disabledDeviceCount: 1,
  });
  await registry.delete("mill:07");
  const gone = await failureOf(registry.get("mill:07"));
  expect(gone.name).toBe("DeviceNotFoundError");
  expect(gone.response.headers["iothub-errorcode"]).toBe("DeviceNotFound");
  expect(JSON.parse(gone.responseBody)).toMatchObject({ Message: expect.stringMatching(/^ErrorCode:DeviceNotFound;/) });
});

test("a second device of the same id, a bad id and a bad key are refused", async () => {
  const { registry } = await runLocalHub();
  await registry.create({ deviceId: "mill" });
  expect((await failureOf(registry.create({ deviceId: "mill" }))).name).toBe("DeviceAlreadyExistsError");
  expect((await failureOf(registry.create({ deviceId: "mill/07" }))).name).toBe("ArgumentError");
  const authentication = { symmetricKey: { primaryKey: "c2hvcnQ=", secondaryKey: "c2hvcnQ=" } };
  expect((await failureOf(registry.create({ deviceId: "m2", authentication }))).name).toBe("ArgumentError");
  expect((await failureOf(registry.update({ deviceId: "nobody", status: "disabled" }))).name).toBe(
    "DeviceNotFoundError",
  );
});

test("who may what: the rights of each policy, and tokens that are none", async () => {
  const running = await runLocalHub();
  const { registry, registryAs, local } = running;
  await registry.create({ deviceId: "mill" });
  await expect(registryAs("registryRead").get("mill")).resolves.toBeDefined();
  expect((await failureOf(registryAs("registryRead").create({ deviceId: "m2" }))).response.statusCode).toBe(401);
  expect((await failureOf(registryAs("service").get("mill"))).response.statusCode).toBe(401);
  await expect(registryAs("service").getTwin("mill")).resolves.toBeDefined();
  expect((await failureOf(registryAs("device").getTwin("mill"))).response.statusCode).toBe(401);
  const owner = local.hub.access.get("iothubowner");
  if (owner === undefined) throw new Error("no owner");
  const later = Date.now() + 60_000;
  const token = (key: string, expiresMs: number, resource = "localhost") =>
    signSas(resource, key, expiresMs, owner.name);
  expect((await ask(running, "/devices/mill", { token: token(owner.secondaryKey, later) })).status).toBe(200);
  expect((await ask(running, "/devices/mill", { token: token(owner.primaryKey, Date.now() - 1_000) })).status).toBe(
    401,
  );
  expect((await ask(running, "/devices/mill", { token: token("AAAA", later) })).status).toBe(401);
  expect((await ask(running, "/devices/mill", { token: token(owner.primaryKey, later, "elsewhere") })).status).toBe(
    401,
  );
  expect(
    (await ask(running, "/devices/mill", { token: token(owner.primaryKey, later, "localhost/twins") })).status,
  ).toBe(401);
  const refused = await ask(running, "/devices/mill");
  expect(refused).toMatchObject({ status: 401, headers: { "iothub-errorcode": "IotHubUnauthorizedAccess" } });
  expect(refused.headers.date).toBeDefined();
  expect((await ask(running, "/somewhere", { token: token(owner.primaryKey, later) })).status).toBe(404);
});

test("a module may call a method of another one, by its own token, and nothing else", async () => {
  const running = await runLocalHub();
  const { hub } = running.local;
  const edge = hub.registry.create({ deviceId: "edge" }, { capabilities: { iotEdge: true } });
  hub.registry.create({ deviceId: "leaf" }, { deviceScope: edge.deviceScope });
  hub.registry.create({ deviceId: "other" }, {});
  const caller = hub.registry.create({ deviceId: "edge", moduleId: "caller" }, {});
  hub.registry.create({ deviceId: "edge", moduleId: "called" }, {});
  const key = caller.authentication.symmetricKey.primaryKey ?? "";
  const token = signSas("localhost/devices/edge/modules/caller", key, Date.now() + 60_000);
  const headers = { "x-ms-edge-moduleId": "edge/caller" };
  const path = "/twins/edge/modules/called/methods";
  const timeouts = { responseTimeoutInSeconds: null, connectTimeoutInSeconds: null };
  const call = { method: "POST", token, body: { methodName: "ping", ...timeouts } };
  // It got as far as the module, which is not there.
  expect((await ask(running, path, { ...call, headers })).headers["iothub-errorcode"]).toBe("DeviceNotOnline");
  expect((await ask(running, "/twins/leaf/methods", { ...call, headers })).status).toBe(404);
  expect((await ask(running, "/twins/other/methods", { ...call, headers })).status).toBe(401);
  expect((await ask(running, "/twins/nobody/methods", { ...call, headers })).status).toBe(401);
  expect((await ask(running, path, call)).status).toBe(401);
  expect((await ask(running, path, { ...call, headers: { "x-ms-edge-moduleId": "edge/called" } })).status).toBe(401);
  expect((await ask(running, "/devices/edge", { token, headers })).status).toBe(401);
});

test.each([
  ["POST", "/devices/query", "not an object"],
  ["POST", "/devices/query", { query: 7 }],
  ["POST", "/devices", [{ id: 5 }]],
  ["POST", "/devices", Array.from({ length: 101 }, (_, index) => ({ id: `d${index}` }))],
  ["PUT", "/devices/m", { status: "asleep" }],
  ["PUT", "/devices/n", { deviceId: "m" }],
  ["PUT", "/devices/m", { authentication: { type: "magic" } }],
  ["PATCH", "/twins/m", { tags: [1] }],
  ["PATCH", "/twins/m", { properties: { desired: "x" } }],
  ["POST", "/twins/m/methods", { methodName: "" }],
  ["POST", "/twins/m/methods", { methodName: "x", responseTimeoutInSeconds: 1e9 }],
  ["POST", "/twins/m/methods", `{"methodName":"x","payload":${"[".repeat(2e5)}${"]".repeat(2e5)}}`],
  ["PUT", "/jobs/v2/j", { type: "scheduleDeviceMethod" }],
  ["PUT", "/jobs/v2/j", { type: "scheduleUpdateTwin", updateTwin: {}, startTime: "soon" }],
  ["PUT", "/jobs/v2/j", { type: "scheduleUpdateTwin", updateTwin: {}, queryCondition: "a b c" }],
])("%s %s with %j is refused as a wrong argument", async (method, path, body) => {
  const running = await runLocalHub({ deviceIds: ["m"] });
  const key = running.local.hub.access.get("iothubowner")?.primaryKey ?? "";
  const token = signSas("localhost", key, Date.now() + 60_000, "iothubowner");
  const answer = await ask(running, path, { method, token, body });
  expect(answer).toMatchObject({ status: 400, headers: { "iothub-errorcode": "ArgumentInvalid" } });
  expect(answer.body).toMatch(/ErrorCode:ArgumentInvalid;\w/);
});

test("messages that wait for a device can be purged", async () => {
  const running = await runLocalHub({ deviceIds: ["mill"] });
  const { hub } = running.local;
  for (const text of ["a", "b"]) {
    await hub.commands.enqueue({ deviceId: "mill", body: Buffer.from(text), properties: {}, system: {}, ack: "none" });
  }
  expect((await running.registry.get("mill")).responseBody).toMatchObject({ cloudToDeviceMessageCount: 2 });
  const token = signSas("localhost", hub.access.get("service")?.primaryKey ?? "", Date.now() + 60_000, "service");
  const { body } = await ask(running, "/devices/mill/commands", { method: "DELETE", token });
  expect(JSON.parse(body)).toEqual({ totalMessagesPurged: 2, deviceId: "mill", moduleId: null });
  expect((await running.registry.get("mill")).responseBody).toMatchObject({ cloudToDeviceMessageCount: 0 });
});

test("an import or export of devices is refused in words", async () => {
  const { registry } = await runLocalHub();
  const refused = await failureOf(registry.importDevicesFromBlob("https://a/", "https://b/"));
  expect(refused.responseBody).toMatch(/no blob storage/);
});

test("a hundred devices at once; what fails is named, and does not keep the others from being done", async () => {
  const { registry } = await runLocalHub();
  const devices = Array.from({ length: 100 }, (_, index) => ({ deviceId: `d-${index}` }));
  expect((await registry.addDevices(devices)).responseBody).toEqual({ isSuccessful: true, errors: [], warnings: [] });
  const partly = await failureOf(registry.addDevices([{ deviceId: "d-5" }, { deviceId: "fresh" }]));
  expect(JSON.parse(partly.responseBody)).toMatchObject({
    isSuccessful: false,
    errors: [{ deviceId: "d-5", errorCode: "DeviceAlreadyExists" }],
  });
  await expect(registry.get("fresh")).resolves.toBeDefined();
  const { responseBody: first } = await registry.get("d-0");
  await registry.updateDevices([{ ...first, status: "disabled" } as never], false);
  expect((await registry.get("d-0")).responseBody.status).toBe("disabled");
  // The etag that was read before the update is no longer good.
  expect(JSON.parse((await failureOf(registry.removeDevices([first], false))).responseBody).errors[0].errorCode).toBe(
    "PreconditionFailed",
  );
  await registry.removeDevices([{ deviceId: "d-0" }, { deviceId: "d-1" }], true);
  expect((await failureOf(registry.get("d-0"))).name).toBe("DeviceNotFoundError");
});

test("a body is JSON, whatever its sender calls it", async () => {
  const running = await runLocalHub();
  const key = running.local.hub.access.get("iothubowner")?.primaryKey ?? "";
  const token = signSas("localhost", key, Date.now() + 60_000, "iothubowner");
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const put = (body: unknown) => ask(running, "/devices/mill", { method: "PUT", token, headers, body });
  expect((await put("a=b")).status).toBe(400);
  expect((await put({ deviceId: "mill" })).status).toBe(200);
});

test("an import mode that there is not is refused, whatever its name", async () => {
  const running = await runLocalHub();
  const key = running.local.hub.access.get("iothubowner")?.primaryKey ?? "";
  const token = signSas("localhost", key, Date.now() + 60_000, "iothubowner");
  for (const importMode of ["constructor", "__proto__"]) {
    const body = [{ id: "mill", importMode }];
    const answer = await ask(running, "/devices", { method: "POST", token, body });
    expect(answer).toMatchObject({ status: 400, body: expect.stringMatching(/no import mode/) });
  }
});

test("modules of a device; an edge device has its two from the start, and a scope that its children need", async () => {
  const { registry } = await runLocalHub();
  const { responseBody: edge } = await registry.create({ deviceId: "edge", capabilities: { iotEdge: true } } as never);
  await registry.addModule({ deviceId: "edge", moduleId: "uplink", managedBy: "me" } as never);
  const { responseBody: modules } = await registry.getModulesOnDevice("edge");
  expect(modules.map(({ moduleId }) => moduleId)).toEqual(["$edgeAgent", "$edgeHub", "uplink"]);
  await registry.removeModule("edge", "uplink");
  expect((await failureOf(registry.getModule("edge", "uplink"))).response.headers["iothub-errorcode"]).toBe(
    "ModuleNotFound",
  );
  const { deviceScope } = edge as unknown as { deviceScope: string };
  const { responseBody: child } = await registry.create({ deviceId: "leaf", deviceScope } as never);
  expect(child).toMatchObject({ deviceScope, parentScopes: [deviceScope] });
  expect(
    (await failureOf(registry.create({ deviceId: "stray", deviceScope: "ms-azure-iot-edge://no-1" } as never))).name,
  ).toBe("ArgumentError");
});

test("what was registered is there after a restart, and the policies' keys are the same", async () => {
  const first = await runLocalHub({ deviceIds: ["box"] });
  await first.stop();
  const second = await runLocalHub({ folder: first.folder, deviceIds: ["box"] });
  expect(second.connections.policies).toEqual(first.connections.policies);
  const key = (text = ""): string | undefined => /SharedAccessKey=([^;]+)/.exec(text)?.[1];
  expect(key(second.connections.devices.box)).toBe(key(first.connections.devices.box));
  expect(Registry.fromConnectionString(second.connections.policies.iothubowner ?? "")).toBeDefined();
});
