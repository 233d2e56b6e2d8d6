import { Client, Message, type Twin } from "azure-iot-device";
import { Mqtt } from "azure-iot-device-mqtt";
import { describe, expect, test } from "vitest";
import {
  connectDevice,
  connectionString,
  connectModule,
  eventsOf,
  type RunningHub,
  runHub,
} from "../../../test/support/running-hub.ts";
import { until } from "../../../test/support/until.ts";
import type { Ack } from "../ports.ts";

// Goal: Microsoft's device SDK, as it is, does with this hub what it does with IoT Hub.

const deviceId = "mill-07";

async function send(running: RunningHub, body: string, messageId: string, ack: Ack = "none"): Promise<void> {
  const { hub } = running;
  await hub.commands.enqueue({
    deviceId,
    body: Buffer.from(body),
    properties: { a: "ü&=/" },
    system: { messageId },
    ack,
  });
}

describe("events", () => {
  test("arrive with body, properties and system properties, in order, and are stored when sendEvent resolves", async () => {
    const running = await runHub();
    const client = await connectDevice(running, deviceId);
    const message = new Message("first");
    message.messageId = "m-1";
    message.correlationId = "c-1";
    message.contentType = "application/json";
    message.contentEncoding = "utf-8";
    message.properties.add("a b", "1/2&3=ü");
    await client.sendEvent(message);
    expect(eventsOf(running.hub)).toMatchObject([
      {
        source: { deviceId },
        body: Buffer.from("first"),
        properties: { "a b": "1/2&3=ü" },
        system: { messageId: "m-1", correlationId: "c-1", contentType: "application/json", contentEncoding: "utf-8" },
        messageSource: "Telemetry",
        sequenceNumber: 0,
      },
    ]);
    await Promise.all(Array.from({ length: 300 }, (_, i) => client.sendEvent(new Message(`n${i}`))));
    const bodies = eventsOf(running.hub).map(({ body }) => body.toString());
    expect(bodies).toEqual(["first", ...Array.from({ length: 300 }, (_, i) => `n${i}`)]);
    expect(running.hub.meter.today()).toMatchObject({ messages: 301, units: 301 });
  });

  test("of a module name their output", async () => {
    const running = await runHub();
    const client = await connectModule(running, deviceId, "collector");
    await client.sendOutputEvent("readings", new Message("x"));
    expect(eventsOf(running.hub)).toMatchObject([
      { source: { deviceId, moduleId: "collector" }, system: { outputName: "readings" } },
    ]);
  });
});

describe("twins", () => {
  test("both ways, with versions", async () => {
    const running = await runHub();
    const client = await connectDevice(running, deviceId);
    running.hub.twins.write({ deviceId }, { desired: { rate: { hz: 1 } } }, "patch");
    const twin: Twin = await client.getTwin();
    expect(twin.properties.desired).toMatchObject({ rate: { hz: 1 }, $version: 2 });
    const heard: unknown[] = [];
    twin.on("properties.desired", (patch) => heard.push(patch));
    await until("the first, which is the twin as it was", () => heard.length === 1);
    running.hub.twins.write({ deviceId }, { desired: { rate: { hz: 2 }, gone: null } }, "patch");
    await until("the patch", () => heard.length === 2);
    expect(heard[1]).toEqual({ rate: { hz: 2 }, gone: null, $version: 3 });
    running.hub.twins.write({ deviceId }, { desired: null }, "patch");
    await until("all is gone", () => heard.length === 3);
    expect(heard[2]).toEqual({ rate: null, $version: 4 });
    await new Promise<void>((resolve, reject) => {
      twin.properties.reported.update({ state: "idle", old: 1 }, (error: Error | undefined) =>
        error ? reject(error) : resolve(),
      );
    });
    expect(running.hub.twins.get({ deviceId }).reported).toMatchObject({
      values: { state: "idle", old: 1 },
      version: 2,
    });
    const refused = new Promise((_, reject) => {
      twin.properties.reported.update({ text: "x".repeat(5_000) }, reject);
    });
    await expect(refused).rejects.toThrow(/longer than 4096/);
  });

  test("desired properties reach a client that came back, and the session is still there after the hub was started anew", async () => {
    const first = await runHub();
    const client = await connectDevice(first, deviceId);
    const twin = await client.getTwin();
    twin.on("properties.desired", () => undefined);
    await until("it listens", () => first.hub.sessions.get({ deviceId })?.size === 2);
    await client.close();
    await first.stop();
    const second = await runHub({ folder: first.folder });
    second.hub.twins.write({ deviceId }, { desired: { while: "away" } }, "patch");
    const again = await connectDevice(second, deviceId);
    const twinAgain = await again.getTwin();
    expect(twinAgain.properties.desired).toMatchObject({ while: "away" });
    const heard: { now?: number }[] = [];
    twinAgain.on("properties.desired", (patch: { now?: number }) => heard.push(patch));
    second.hub.twins.write({ deviceId }, { desired: { now: 1 } }, "patch");
    await until("the patch", () => heard.some(({ now }) => now === 1));
  });
});

describe("methods", () => {
  const call = { methodName: "ping", payload: { n: 1 }, connectTimeoutMs: 0, responseTimeoutMs: 2_000 };

  test("are answered; a device that does not listen, or does not answer, is told of", async () => {
    const running = await runHub();
    const { links } = running.hub;
    await expect(links.invoke({ deviceId }, call)).rejects.toMatchObject({ code: "DeviceNotOnline" });
    const client = await connectDevice(running, deviceId);
    await expect(links.invoke({ deviceId }, call)).rejects.toMatchObject({ code: "DeviceNotOnline" });
    // Waits for the device to listen.
    const early = links.invoke({ deviceId }, { ...call, connectTimeoutMs: 5_000 });
    client.onDeviceMethod("ping", (request, response) => void response.send(201, { got: request.payload }));
    client.onDeviceMethod("deaf", () => undefined);
    expect(await early).toEqual({ status: 201, payload: { got: { n: 1 } } });
    for (const payload of [null, "", "text", { k: [1] }, {}]) {
      expect(await links.invoke({ deviceId }, { ...call, payload })).toEqual({
        status: 201,
        payload: { got: payload },
      });
    }
    const deaf = links.invoke({ deviceId }, { ...call, methodName: "deaf", responseTimeoutMs: 50 });
    await expect(deaf).rejects.toMatchObject({ code: "GatewayTimeout" });
  });

  test("reach a client whose session was restored, without a word of it", async () => {
    const running = await runHub();
    const client = await connectDevice(running, deviceId);
    client.onDeviceMethod("ping", (_request, response) => void response.send(200, {}));
    await until("it listens", () => running.hub.links.get({ deviceId })?.invoke !== undefined);
    // The link breaks under the client; the SDK comes back with clean=0 and relies on the hub's memory.
    running.hub.links.get({ deviceId })?.close("test");
    await until("it is back", () => running.hub.links.get({ deviceId })?.invoke !== undefined);
    expect(await running.hub.links.invoke({ deviceId }, { ...call, connectTimeoutMs: 5_000 })).toEqual({
      status: 200,
      payload: {},
    });
  });
});

describe("cloud to device", () => {
  test("is completed by the client's acknowledgement, with feedback; what waited comes first", async () => {
    const running = await runHub();
    running.hub.registry.create({ deviceId }, {});
    await send(running, "one", "m-1", "full");
    await send(running, "two", "m-2");
    const client = await connectDevice(running, deviceId);
    const heard: Message[] = [];
    client.on("message", (message: Message) => heard.push(message));
    await until("both", () => heard.length === 2);
    expect(heard.map(({ data, messageId }) => [data.toString(), messageId])).toEqual([
      ["one", "m-1"],
      ["two", "m-2"],
    ]);
    expect(heard[1]?.properties.getItem(0)).toEqual({ key: "a", value: "ü&=/" });
    await until("completed", () => running.hub.registry.get({ deviceId })?.cloudToDeviceMessageCount === 0);
    expect(running.hub.commands.feedback(10).map(({ record }) => record)).toMatchObject([
      { originalMessageId: "m-1", deviceId, description: "Success" },
    ]);
  });
});

describe("who may not in", () => {
  test.each([
    ["a wrong key", Buffer.alloc(32, 1).toString("base64"), deviceId],
    ["an unknown device", Buffer.alloc(32, 1).toString("base64"), "nobody"],
  ])("%s is unauthorized", async (_, key, id) => {
    const running = await runHub();
    running.hub.registry.create({ deviceId }, {});
    const client = Client.fromConnectionString(connectionString(running, { deviceId: id }, key), Mqtt);
    client.on("error", () => undefined);
    await client.setOptions({ ca: running.ca });
    await expect(client.open()).rejects.toMatchObject({ name: "UnauthorizedError" });
  });

  test("a device that is disabled or removed is cut off at once", async () => {
    const running = await runHub();
    const client = await connectDevice(running, deviceId);
    await client.sendEvent(new Message("x"));
    expect(running.hub.registry.get({ deviceId })?.connectionState).toBe("Connected");
    running.hub.registry.update({ deviceId }, { status: "disabled" });
    expect(running.hub.links.get({ deviceId })).toBeUndefined();
    expect(running.hub.registry.get({ deviceId })?.connectionState).toBe("Disconnected");
  });
});
