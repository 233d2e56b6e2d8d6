import { once } from "node:events";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { runLocalHub } from "../../test/support/local-hub.ts";

test("one port for REST, MQTT and AMQP over WebSocket; what is open on it does not hold up the hub's end", async () => {
  const running = await runLocalHub();
  const url = `${running.local.addresses.https.replace("https:", "wss:")}/$iothub/websocket`;
  const sockets = ["mqtt", "AMQPWSB10"].map((protocol) => new WebSocket(url, protocol, { ca: running.ca }));
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  expect(sockets.map(({ protocol }) => protocol)).toEqual(["mqtt", "AMQPWSB10"]);
  await running.registry.create({ deviceId: "mill" });
  const elsewhere = new WebSocket(`${url}/else`, "mqtt", { ca: running.ca });
  const [refusal] = (await once(elsewhere, "error")) as [Error];
  expect(refusal.message).toMatch(/404/);
  const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
  const beganMs = performance.now();
  await running.stop();
  await closed;
  expect(performance.now() - beganMs).toBeLessThan(10_000);
});
