import { expect, test } from "vitest";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { rawDevice } from "../../../test/support/raw-mqtt.ts";
import { runHub } from "../../../test/support/running-hub.ts";
import { until } from "../../../test/support/until.ts";

const deviceId = "mill";

test("a command that a connected device does not acknowledge comes again, ten times in all, and its sender is told", async () => {
  const clock = new ManualClock();
  const running = await runHub({ clock });
  const client = await rawDevice(running, deviceId, { keepalive: 0 });
  const topic = `devices/${deviceId}/messages/devicebound/#`;
  client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1 }] });
  await client.next("suback");
  await running.hub.commands.enqueue({
    deviceId,
    body: Buffer.from("again"),
    properties: {},
    system: { messageId: "c" },
    ack: "full",
  });
  for (let delivery = 1; delivery <= 10; delivery++) {
    const packet = await client.next("publish");
    expect([packet.payload.toString(), packet.dup]).toEqual(["again", delivery > 1]);
    // Its lock ends, and the hub looks after it.
    for (let n = 0; n < 4; n++) await clock.advance(25_000);
  }
  await until("it is given up", () => running.hub.commands.feedback(9).length === 1);
  expect(running.hub.commands.feedback(9)[0]?.record).toMatchObject({
    originalMessageId: "c",
    description: "DeliveryCountExceeded",
  });
  expect(client.packets).toEqual([]);
  expect(client.isClosed).toBe(false);
});
