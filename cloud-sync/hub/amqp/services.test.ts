import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { Message } from "azure-iot-common";
import { AmqpWs, Client } from "azure-iothub";
import rhea from "rhea";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { type AmqpHub, startAmqpHub } from "../../../test/support/amqp-hub.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import { hubCertificates } from "../certificates.ts";

// The judge is Microsoft's own azure-iothub, over TLS as it always is.

async function startTls(): Promise<AmqpHub> {
  const { ca, key, cert } = await hubCertificates(tempFolder(), "localhost", systemClock);
  tls.setDefaultCACertificates([ca]);
  return startAmqpHub(tempFolder(), { tls: { port: 0, key, cert } });
}

async function service({ hub, front }: AmqpHub, policy = "service"): Promise<Client> {
  const key = hub.access.get(policy)?.primaryKey;
  const client = Client.fromConnectionString(
    `HostName=localhost:${front.port};SharedAccessKeyName=${policy};SharedAccessKey=${key}`,
  );
  await client.open();
  onTestFinished(async () => void (await client.close()));
  return client;
}

test("a message for a device waits in its queue with all its properties, and what became of it comes back", async () => {
  const amqp = await startTls();
  const { hub } = amqp;
  hub.registry.create({ deviceId: "mill#7=(a)" }, {});
  const client = await service(amqp);
  const message = new Message(Buffer.from([1, 0, 255]));
  message.messageId = "4f1c1d64-9d3e-4b57-8f0e-0c5f6a3d2b10";
  message.correlationId = "c-1";
  message.contentType = "application/json";
  message.ack = "full";
  message.expiryTimeUtc = Date.now() + 60_000;
  message.properties.add("kind", "resend");
  await client.send("mill#7=(a)", message);
  const command = hub.commands.lock("mill#7=(a)");
  expect(command).toMatchObject({
    deviceId: "mill#7=(a)",
    body: Buffer.from([1, 0, 255]),
    properties: { kind: "resend" },
    ack: "full",
    expiresMs: message.expiryTimeUtc,
    system: { messageId: message.messageId, correlationId: "c-1", contentType: "application/json" },
  });

  const received: unknown[] = [];
  const { result: receiver } = await client.getFeedbackReceiver();
  receiver?.on("message", (each: Message) => received.push(each));
  hub.commands.complete(command?.lockToken ?? "");
  const first = (await until("feedback", () => received[0])) as Message;
  expect(first.contentType).toBe("application/vnd.microsoft.iothub.feedback.json");
  expect(JSON.parse(first.getData().toString())).toMatchObject([
    {
      originalMessageId: message.messageId,
      deviceId: "mill#7=(a)",
      deviceGenerationId: hub.registry.get({ deviceId: "mill#7=(a)" })?.generationId,
      statusCode: "Success",
      description: "Success",
    },
  ]);
  await until("it is settled", () => hub.commands.feedback(10).length === 0);

  hub.registry.create({ deviceId: "second" }, {});
  const refused = new Message("again");
  refused.messageId = "m-2";
  refused.ack = "negative";
  await client.send("second", refused);
  hub.commands.reject(hub.commands.lock("second")?.lockToken ?? "");
  const second = (await until("the next feedback", () => received[1])) as Message;
  expect(JSON.parse(second.getData().toString())).toMatchObject([{ originalMessageId: "m-2", statusCode: "Rejected" }]);
});

test("what can't be queued comes back as the error that the SDK has for it", async () => {
  const amqp = await startTls();
  amqp.hub.registry.create({ deviceId: "mill-7" }, {});
  const client = await service(amqp);
  const errorOf = (deviceId: string, body: string | Buffer): Promise<string> =>
    client.send(deviceId, new Message(body)).then(
      () => "sent",
      (error: Error) => error.name,
    );
  expect(await errorOf("nobody", "x")).toBe("DeviceNotFoundError");
  expect(await errorOf("mill-7", Buffer.alloc(65 * 1024))).toBe("ArgumentError");
  for (let index = 0; index < 50; index++) expect(await errorOf("mill-7", "x")).toBe("sent");
  expect(await errorOf("mill-7", "x")).toBe("DeviceMaximumQueueDepthExceededError");
});

test("feedback that a service did not settle goes to the next one", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  hub.registry.create({ deviceId: "mill-7" }, {});
  await hub.commands.enqueue({
    deviceId: "mill-7",
    body: Buffer.from("x"),
    properties: {},
    system: { messageId: "m-1" },
    ack: "full",
  });
  hub.commands.complete(hub.commands.lock("mill-7")?.lockToken ?? "");
  const listen = (settle: boolean) => {
    const bodies: string[] = [];
    const container = rhea.create_container();
    container.on("message", ({ message }) => bodies.push(String(message?.body.content)));
    container.on("disconnected", () => undefined);
    const connection = container.connect({
      host: "127.0.0.1",
      port: front.plainPort ?? 0,
      username: "service@sas.root.localhost",
      password: hub.access.get("service")?.primaryKey ?? "",
      reconnect: false,
    });
    connection.open_receiver({ source: "/messages/serviceBound/feedback", autoaccept: settle });
    return { bodies, connection };
  };
  const careless = listen(false);
  await until("the first one has it", () => careless.bodies.length === 1);
  const careful = listen(true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(careful.bodies).toEqual([]);
  careless.connection.close();
  await until("the second one has it", () => careful.bodies.length === 1);
  expect(careful.bodies).toEqual(careless.bodies);
  await until("it is settled", () => hub.commands.feedback(10).length === 0);
  careful.connection.close();
});

test("a service without the right, and one with a wrong key, are turned away", async () => {
  const amqp = await startTls();
  amqp.hub.registry.create({ deviceId: "mill-7" }, {});
  const client = await service(amqp, "device");
  await expect(client.send("mill-7", new Message("x"))).rejects.toMatchObject({ name: "UnauthorizedError" });
  const stranger = Client.fromConnectionString(
    `HostName=localhost:${amqp.front.port};SharedAccessKeyName=service;SharedAccessKey=${Buffer.alloc(32).toString("base64")}`,
  );
  await expect(stranger.open()).rejects.toMatchObject({
    amqpError: { name: "UnauthorizedError", message: expect.stringContaining("wrong key or altered token") },
  });
});

test("a service comes in over a WebSocket too; what is for MQTT is left to others", async () => {
  const { ca, key, cert } = await hubCertificates(tempFolder(), "localhost", systemClock);
  tls.setDefaultCACertificates([ca]);
  const { hub, front } = await startAmqpHub(tempFolder());
  hub.registry.create({ deviceId: "mill-7" }, {});
  const http = createServer({ key, cert });
  const left: (string | undefined)[] = [];
  http.on("upgrade", (request, socket, head) => {
    if (front.upgrade(request, socket, head)) return;
    left.push(request.headers["sec-websocket-protocol"]);
    socket.destroy();
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void http.close());
  const { port } = http.address() as AddressInfo;
  const url = `wss://localhost:${port}/$iothub/websocket`;
  /** The SDK's own always goes to port 443. */
  class AmqpWsOnPort extends AmqpWs {
    protected override _getConnectionUri(): string {
      return url;
    }
  }
  const client = Client.fromConnectionString(
    `HostName=localhost;SharedAccessKeyName=service;SharedAccessKey=${hub.access.get("service")?.primaryKey}`,
    AmqpWsOnPort,
  );
  await client.open();
  await client.send("mill-7", new Message("x"));
  expect(hub.commands.lock("mill-7")?.body.toString()).toBe("x");
  await client.close();
  const mqtt = new WebSocket(url, "mqtt");
  await once(mqtt, "error");
  expect(left).toEqual(["mqtt"]);
});

test("file notifications can be listened to, though there are none", async () => {
  const amqp = await startTls();
  const client = await service(amqp);
  expect(await client.getFileNotificationReceiver()).toBeDefined();
});

test("who asks the IoT Hub for its events is shown to the event hub", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  const container = rhea.create_container();
  const connection = container.connect({
    host: "127.0.0.1",
    port: front.plainPort ?? 0,
    username: "service",
    password: hub.access.get("service")?.primaryKey ?? "",
    reconnect: false,
  });
  onTestFinished(() => connection.close());
  const receiver = connection.open_receiver("messages/events/$management");
  const [{ receiver: refused }] = await once(receiver, "receiver_error");
  expect(refused.error).toMatchObject({
    condition: "amqp:link:redirect",
    info: {
      hostname: "localhost",
      port: front.plainPort,
      address: `amqp://localhost:${front.plainPort}/shop/$management`,
    },
  });
});
