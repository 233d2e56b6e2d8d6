import fc from "fast-check";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import { FUZZ_SEED } from "../../../test/support/any-events.ts";
import { connectPacket, rawDevice, rawMqtt } from "../../../test/support/raw-mqtt.ts";
import { runHub } from "../../../test/support/running-hub.ts";

// Goal: whatever bytes a client sends, before or after it proved who it is, the hub and its other clients go on.
// Method: packets of every kind that a client sends, some of their bytes changed, cut or repeated.

const RUNS = Number(process.env.TAILSTOCK_FUZZ_RUNS ?? 40);
const deviceId = "fuzz";
const publish = { cmd: "publish", dup: false, retain: false } as const;

test("broken packets end their own connection at most", async () => {
  const running = await runHub();
  const neighbour = await rawDevice(running, "neighbour");
  running.hub.registry.create({ deviceId }, {});
  const connect = connectPacket(running.hub, { deviceId });
  const kinds = [
    connect,
    { ...publish, topic: `devices/${deviceId}/messages/events/a=b&$.mid=1`, payload: "body", qos: 1, messageId: 1 },
    { ...publish, topic: "$iothub/twin/GET/?$rid=1", payload: "", qos: 0 },
    { ...publish, topic: "$iothub/twin/PATCH/properties/reported/?$rid=2", payload: '{"a":{"b":1}}', qos: 0 },
    { ...publish, topic: "$iothub/methods/res/200/?$rid=1", payload: "{}", qos: 0 },
    { cmd: "subscribe", messageId: 2, subscriptions: [{ topic: "$iothub/twin/res/#", qos: 0 }] },
    {
      cmd: "subscribe",
      messageId: 3,
      subscriptions: [{ topic: `devices/${deviceId}/messages/devicebound/#`, qos: 1 }],
    },
    { cmd: "unsubscribe", messageId: 4, unsubscriptions: ["$iothub/methods/POST/#"] },
    { cmd: "puback", messageId: 1 },
    { cmd: "pubrel", messageId: 1 },
    { cmd: "pingreq" },
    { cmd: "disconnect" },
  ] satisfies Parameters<typeof generate>[0][];
  const packets = kinds.map((packet) => generate(packet));
  const broken = fc
    .tuple(
      fc.array(fc.constantFrom(...packets), { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }),
      fc.nat(400),
    )
    .map(([sent, changes, cut]) => {
      const bytes = Buffer.concat(sent);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return cut % 3 === 0 ? bytes.subarray(0, cut) : bytes;
    });
  await fc.assert(
    fc.asyncProperty(broken, fc.boolean(), async (bytes, isKnown) => {
      const client = await rawMqtt(running);
      if (isKnown) expect((await client.connect(connect)).returnCode).toBe(0);
      client.stream.end(bytes);
      await client.closed();
      neighbour.send({ cmd: "pingreq" });
      await neighbour.next("pingresp");
    }),
    { seed: FUZZ_SEED, numRuns: RUNS },
  );
}, 300_000);
