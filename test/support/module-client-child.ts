/**
 * A module as IoT Edge starts it: knows where it is from its environment alone. Sends one event, reads its twin, answers
 * the method "ping", prints what it found as one JSON line, and ends when its stdin closes.
 */
import device from "azure-iot-device";
import { Mqtt } from "azure-iot-device-mqtt";

const { Message, ModuleClient } = device;
const client = await ModuleClient.fromEnvironment(Mqtt);
client.on("error", (error) => console.error(error));
await client.open();
client.onMethod("ping", (_request, response) => {
  void response?.send(200, "pong");
});
const twin = await client.getTwin();
await client.sendOutputEvent(
  "readings",
  new Message(JSON.stringify({ from: process.env.IOTEDGE_MODULEID ?? "string" })),
);
process.stdout.write(`${JSON.stringify({ level: twin.properties.desired.level })}\n`);
process.stdin.resume().once("end", () => {
  void client.close().finally(() => process.exit(0));
});
