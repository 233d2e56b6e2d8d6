import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { eventsOf } from "../../test/support/running-hub.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import { type HubOptions, openHub } from "./open-hub.ts";
import type { Hub, Link, NewCommand } from "./ports.ts";

const deviceId = "mill";

function hubOf(options: Partial<HubOptions> = {}): Hub & AsyncDisposable {
  const hub = openHub({
    folder: tempFolder(),
    hostName: "localhost",
    hubName: "hub",
    clock: new ManualClock(),
    logger: pino({ level: "silent" }),
    ...options,
  });
  onTestFinished(() => hub[Symbol.asyncDispose]());
  return hub;
}

function code(work: () => unknown): string {
  try {
    work();
    return "fine";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

describe("registry", () => {
  test("makes what is missing, keeps what is given, and moves etags", () => {
    const hub = hubOf();
    const made = hub.registry.create({ deviceId }, { statusReason: "new" });
    expect(Buffer.from(made.authentication.symmetricKey.primaryKey ?? "", "base64")).toHaveLength(32);
    expect(made).toMatchObject({ status: "enabled", statusReason: "new", connectionState: "Disconnected" });
    const changed = hub.registry.update({ deviceId }, { status: "disabled" }, made.etag);
    expect(changed).toMatchObject({
      status: "disabled",
      authentication: made.authentication,
      generationId: made.generationId,
    });
    expect(changed.statusUpdatedMs).toBe(hub.clock.nowMs());
    expect(code(() => hub.registry.update({ deviceId }, {}, made.etag))).toBe("PreconditionFailed");
    expect(code(() => hub.registry.remove({ deviceId }, "x"))).toBe("PreconditionFailed");
    expect(hub.registry.count()).toEqual({ total: 1, enabled: 0, disabled: 1, connected: 0 });
    hub.registry.remove({ deviceId }, `"${changed.etag}"`);
    expect(hub.registry.get({ deviceId })).toBeUndefined();
    expect(code(() => hub.twins.get({ deviceId }))).toBe("DeviceNotFound");
    const second = hub.registry.create({ deviceId }, {});
    expect(second.generationId).not.toBe(made.generationId);
  });

  test.each([
    ["mill 1", "ArgumentInvalid"],
    ["mill/1", "ArgumentInvalid"],
    ["müll", "ArgumentInvalid"],
    ["", "ArgumentInvalid"],
    ["x".repeat(129), "ArgumentInvalid"],
    ["A-z:0.9+%_#*?!(),=@;$'", "fine"],
  ])("the id %j: %s", (id, wanted) => {
    const hub = hubOf();
    expect(code(() => hub.registry.create({ deviceId: id }, {}))).toBe(wanted);
  });

  test("modules hang on their device; an edge device has its two from the beginning", () => {
    const hub = hubOf();
    const module = { deviceId, moduleId: "collector" };
    expect(code(() => hub.registry.create(module, {}))).toBe("DeviceNotFound");
    const device = hub.registry.create({ deviceId }, { capabilities: { iotEdge: true } });
    expect(device.deviceScope).toBe(`ms-azure-iot-edge://${deviceId}-${device.generationId}`);
    hub.registry.create(module, {});
    expect(code(() => hub.registry.create(module, {}))).toBe("ModuleAlreadyExistsOnDevice");
    expect(code(() => hub.registry.create({ deviceId }, {}))).toBe("DeviceAlreadyExists");
    expect(hub.registry.modules(deviceId).map(({ moduleId }) => moduleId)).toEqual([
      "$edgeAgent",
      "$edgeHub",
      "collector",
    ]);
    hub.registry.create({ deviceId: "leaf" }, { deviceScope: device.deviceScope });
    expect(hub.registry.get({ deviceId: "leaf" })?.parentScopes).toEqual([device.deviceScope]);
    expect(hub.registry.devices(10, "leaf").map((each) => each.deviceId)).toEqual([deviceId]);
    const told: unknown[] = [];
    hub.registry.onChanged(({ moduleId }, _entry, what) => told.push([moduleId, what]));
    hub.registry.remove({ deviceId });
    expect(told).toEqual([
      [undefined, "removed"],
      ["$edgeAgent", "removed"],
      ["$edgeHub", "removed"],
      ["collector", "removed"],
    ]);
    expect(hub.registry.modules(deviceId)).toEqual([]);
  });

  test("bad keys and thumbprints are refused", () => {
    const hub = hubOf();
    const none = { primaryThumbprint: null, secondaryThumbprint: null };
    const keys = { primaryKey: "short", secondaryKey: null };
    const sas = { type: "sas", symmetricKey: keys, x509Thumbprint: none } as const;
    expect(code(() => hub.registry.create({ deviceId }, { authentication: sas }))).toBe("ArgumentInvalid");
    const noKeys = { primaryKey: null, secondaryKey: null };
    const selfSigned = { type: "selfSigned", symmetricKey: noKeys, x509Thumbprint: none } as const;
    expect(code(() => hub.registry.create({ deviceId }, { authentication: selfSigned }))).toBe("ArgumentInvalid");
    expect(hub.registry.get({ deviceId })).toBeUndefined();
  });
});

describe("twins", () => {
  test("merge with metadata for every leaf, versions and etags", () => {
    const clock = new ManualClock(Date.UTC(2026, 5, 1));
    const hub = hubOf({ clock });
    hub.registry.create({ deviceId }, {});
    const one = hub.twins.write({ deviceId }, { desired: { a: { x: 1, y: 2 }, b: [1] }, tags: { site: "r" } }, "patch");
    expect(one).toMatchObject({ version: 3, etag: "AAAAAAAAAAI=", tags: { site: "r" } });
    clock.jumpWall(1_000);
    const told: unknown[] = [];
    hub.twins.onDesired((_identity, patch) => told.push(patch));
    const two = hub.twins.write({ deviceId }, { desired: { a: { x: null, y: { z: 3 } } } }, "patch", one.etag);
    expect(two.desired).toEqual({
      values: { a: { y: { z: 3 } }, b: [1] },
      version: 3,
      metadata: {
        $lastUpdated: "2026-06-01T00:00:01.000Z",
        $lastUpdatedVersion: 3,
        a: {
          $lastUpdated: "2026-06-01T00:00:01.000Z",
          $lastUpdatedVersion: 3,
          y: {
            $lastUpdated: "2026-06-01T00:00:01.000Z",
            $lastUpdatedVersion: 3,
            z: { $lastUpdated: "2026-06-01T00:00:01.000Z", $lastUpdatedVersion: 3 },
          },
        },
        b: { $lastUpdated: "2026-06-01T00:00:00.000Z", $lastUpdatedVersion: 2 },
      },
    });
    expect(code(() => hub.twins.write({ deviceId }, { desired: {} }, "patch", one.etag))).toBe("PreconditionFailed");
    hub.twins.write({ deviceId }, { desired: { c: 1 }, tags: null }, "replace");
    expect(told).toEqual([
      { a: { x: null, y: { z: 3 } }, $version: 3 },
      { a: null, b: null, c: 1, $version: 4 },
    ]);
    expect(hub.twins.get({ deviceId })).toMatchObject({ tags: {}, desired: { values: { c: 1 }, version: 4 } });
    expect([...hub.twins.all()].map((twin) => twin.deviceId)).toEqual([deviceId]);
  });

  const deep = (levels: number): { [key: string]: unknown } => (levels === 1 ? { v: 1 } : { k: deep(levels - 1) });
  test.each<[string, unknown, string]>([
    ["a dollar", { $a: 1 }, "ArgumentInvalid"],
    ["a dot, deep down", { a: { "b.c": 1 } }, "ArgumentInvalid"],
    ["a blank, in an array", { a: [{ "b c": 1 }] }, "ArgumentInvalid"],
    ["a long text", { a: "x".repeat(4_097) }, "ArgumentInvalid"],
    ["ten levels", deep(10), "fine"],
    ["eleven levels", deep(11), "ArgumentInvalid"],
    ["a large number", { a: 4_503_599_627_370_497 }, "ArgumentInvalid"],
    ["no object", [1], "ArgumentInvalid"],
    [
      "more than 32 KB",
      Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, "x".repeat(4_000)])),
      "ArgumentInvalid",
    ],
    ["the prototype", JSON.parse('{"__proto__": {"polluted": 1}}'), "fine"],
  ])("reported properties with %s: %s", (_, patch, wanted) => {
    const hub = hubOf();
    hub.registry.create({ deviceId }, {});
    expect(code(() => hub.twins.patchReported({ deviceId }, patch as never))).toBe(wanted);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(hub.twins.get({ deviceId }).reported.version).toBe(wanted === "fine" ? 2 : 1);
  });
});

describe("commands", () => {
  const command = (body: string, more: Partial<NewCommand> = {}): NewCommand => ({
    deviceId,
    body: Buffer.from(body),
    properties: {},
    system: { messageId: body },
    ack: "full",
    ...more,
  });

  test("are locked one by one, come back when abandoned or their lock ends, and end after ten deliveries", async () => {
    const clock = new ManualClock();
    const hub = hubOf({ clock });
    await expect(hub.commands.enqueue(command("x"))).rejects.toMatchObject({ code: "DeviceNotFound" });
    hub.registry.create({ deviceId }, {});
    await hub.commands.enqueue(command("1"));
    await hub.commands.enqueue(command("2"));
    const first = hub.commands.lock(deviceId);
    const second = hub.commands.lock(deviceId);
    expect([first?.body.toString(), second?.body.toString(), hub.commands.lock(deviceId)]).toEqual([
      "1",
      "2",
      undefined,
    ]);
    hub.commands.abandon(first?.lockToken ?? "");
    expect(hub.commands.lock(deviceId)).toMatchObject({ sequenceNumber: first?.sequenceNumber, deliveryCount: 2 });
    hub.commands.reject(second?.lockToken ?? "");
    for (let delivery = 3; delivery <= 10; delivery++) {
      clock.jumpWall(60_001);
      expect(hub.commands.lock(deviceId)?.deliveryCount).toBe(delivery);
    }
    clock.jumpWall(60_001);
    expect(hub.commands.lock(deviceId)).toBeUndefined();
    const feedback = hub.commands.feedback(9);
    expect(feedback.map(({ record }) => [record.originalMessageId, record.description])).toEqual([
      ["2", "Rejected"],
      ["1", "DeliveryCountExceeded"],
    ]);
    hub.commands.settleFeedback(feedback.map(({ id }) => id));
    expect(hub.commands.feedback(9)).toEqual([]);
  });

  test("fifty wait for a device at most; size, expiry and purge", async () => {
    const clock = new ManualClock();
    const hub = hubOf({ clock });
    hub.registry.create({ deviceId }, {});
    await expect(hub.commands.enqueue(command("x".repeat(65_000)))).rejects.toMatchObject({ code: "ArgumentInvalid" });
    for (let n = 0; n < 50; n++) await hub.commands.enqueue(command(`${n}`, { expiresMs: clock.nowMs() + 10_000 }));
    await expect(hub.commands.enqueue(command("51"))).rejects.toMatchObject({
      code: "DeviceMaximumQueueDepthExceeded",
    });
    let news = 0;
    hub.commands.onFeedback(() => news++);
    await clock.advance(12_000);
    expect(hub.registry.get({ deviceId })?.cloudToDeviceMessageCount).toBe(0);
    expect(hub.commands.feedback(99).map(({ record }) => record.description)).toEqual(Array(50).fill("Expired"));
    expect(news).toBe(1);
    await hub.commands.enqueue(command("quiet", { ack: "positive" }));
    expect(hub.commands.purge(deviceId)).toBe(1);
    expect(hub.commands.feedback(99)).toHaveLength(50);
  });
});

test("everything is there again after a restart; what was metered, too", async () => {
  const folder = tempFolder();
  const clock = new ManualClock();
  const first = hubOf({ folder, clock });
  const device = first.registry.create({ deviceId }, {});
  first.twins.write({ deviceId }, { desired: { a: 1 } }, "patch");
  await first.commands.enqueue({ deviceId, body: Buffer.of(1), properties: { p: "q" }, system: {}, ack: "none" });
  first.commands.lock(deviceId);
  first.sessions.save({ deviceId }, new Map([["t", 1]]));
  first.meter.admit({ deviceId }, 4_097);
  const detach = first.links.attach({ deviceId, invoke: undefined, close: () => undefined });
  detach();
  await first[Symbol.asyncDispose]();
  const second = hubOf({ folder, clock });
  expect(second.registry.get({ deviceId })).toMatchObject({
    authentication: device.authentication,
    lastActivityMs: clock.nowMs(),
    cloudToDeviceMessageCount: 1,
  });
  expect(second.twins.get({ deviceId }).desired).toMatchObject({ values: { a: 1 }, version: 2 });
  expect(second.commands.lock(deviceId)).toMatchObject({ properties: { p: "q" }, deliveryCount: 2 });
  expect(second.sessions.get({ deviceId })).toEqual(new Map([["t", 1]]));
  expect(second.meter.today()).toEqual({ messages: 1, units: 2, bytes: 4_097 });
  expect(second.access.all()).toEqual(first.access.all());
  expect(second.access.get("service")?.rights).toEqual(["ServiceConnect"]);
});

test("links: the newest wins, a removed or disabled device is cut with its modules", () => {
  const hub = hubOf();
  hub.registry.create({ deviceId }, {});
  hub.registry.create({ deviceId, moduleId: "m" }, {});
  const closed: string[] = [];
  const link = (name: string, more: Partial<Link> = {}): Link => ({
    deviceId,
    invoke: undefined,
    close: (reason) => closed.push(`${name}: ${reason}`),
    ...more,
  });
  const older = link("older");
  const detachOlder = hub.links.attach(older);
  const newer = link("newer");
  hub.links.attach(newer);
  hub.links.attach(link("module", { moduleId: "m" }));
  detachOlder();
  expect(hub.links.get({ deviceId })).toBe(newer);
  expect(hub.registry.count().connected).toBe(1);
  hub.registry.update({ deviceId }, { status: "disabled" });
  expect(closed).toEqual([
    "older: a newer connection of the same identity",
    "newer: the identity was disabled",
    "module: the identity was disabled",
  ]);
});

test("changes of twins and of the registry are events when that is asked for", async () => {
  const hub = hubOf({ emit: { twinChanges: true, lifecycle: true } });
  hub.registry.create({ deviceId }, {});
  hub.twins.patchReported({ deviceId }, { state: "run" });
  hub.registry.remove({ deviceId });
  await until("three events", () => eventsOf(hub).length === 3);
  expect(eventsOf(hub).map((event) => [event.messageSource, event.properties.opType, event.source])).toEqual([
    ["deviceLifecycleEvents", "createDeviceIdentity", { deviceId }],
    ["twinChangeEvents", "updateTwin", { deviceId }],
    ["deviceLifecycleEvents", "deleteDeviceIdentity", { deviceId }],
  ]);
  expect(JSON.parse(eventsOf(hub)[1]?.body.toString() ?? "")).toMatchObject({
    properties: { reported: { state: "run", $version: 2 } },
  });
});
