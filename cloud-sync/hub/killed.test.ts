import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "node:tls";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { RawMqtt } from "../../test/support/raw-mqtt.ts";
import { eventsOf } from "../../test/support/running-hub.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import { openHub } from "./open-hub.ts";
import { signSas } from "./sas.ts";

// Goal: whatever was acknowledged with PUBACK is in the log, in order and once, after kill -9 under load, again and again.

const child = join(import.meta.dirname, "..", "..", "test", "support", "hub-child.ts");
const ROUNDS = 5;
const WINDOW = 64;
const DEVICES = ["a", "b", "c"];

async function startHub(folder: string): Promise<{ process: ChildProcess; port: number; keys: string[] }> {
  const hub = spawn(process.execPath, [child, folder], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void hub.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: hub.stdout }), "line")) as [string];
  return { process: hub, ...(JSON.parse(line) as { port: number; keys: string[] }) };
}

/** Sends numbered events without an end; gives those whose PUBACK came. */
async function load(deviceId: string, key: string, port: number, folder: string, begin: number): Promise<Set<number>> {
  const ca = readFileSync(join(folder, "ca.pem"));
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  const client = new RawMqtt(socket);
  const password = Buffer.from(signSas(`localhost/devices/${deviceId}`, key, Date.now() + 3_600_000));
  const username = `localhost/${deviceId}/?api-version=2021-04-12`;
  const head = { cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, keepalive: 60 } as const;
  expect((await client.connect({ ...head, clientId: deviceId, username, password })).returnCode).toBe(0);
  const acknowledged = new Set<number>();
  let sent = begin;
  const pump = (): void => {
    for (const packet of client.packets.splice(0)) {
      if (packet.cmd === "puback") acknowledged.add(begin + acknowledged.size);
    }
    while (sent - begin - acknowledged.size < WINDOW && !socket.destroyed) {
      const body = Buffer.alloc(2_000);
      body.writeUInt32BE(sent);
      client.publish(`devices/${deviceId}/messages/events/`, body, { messageId: (sent++ % 65_535) + 1 });
    }
  };
  socket.on("data", pump);
  pump();
  return acknowledged;
}

test("kill -9 under load loses nothing that was acknowledged, and gives no number twice", async () => {
  const folder = tempFolder();
  const acknowledged = DEVICES.map(() => new Set<number>());
  for (let round = 0; round < ROUNDS; round++) {
    const { process: hub, port, keys } = await startHub(folder);
    const now = await Promise.all(DEVICES.map((id, i) => load(id, keys[i] ?? "", port, folder, round * 1_000_000)));
    await until("some load", () => now.every(({ size }) => size > 100 + round * 37));
    hub.kill("SIGKILL");
    await once(hub, "exit");
    now.forEach((numbers, i) => {
      for (const number of numbers) acknowledged[i]?.add(number);
    });
  }
  const logger = pino({ level: "silent" });
  await using hub = openHub({ folder, hostName: "localhost", hubName: "hub", clock: systemClock, logger });
  const events = eventsOf(hub);
  DEVICES.forEach((deviceId, i) => {
    const stored = events.filter(({ source }) => source?.deviceId === deviceId).map(({ body }) => body.readUInt32BE());
    expect(stored).toEqual([...stored].sort((a, b) => a - b));
    expect(new Set(stored).size).toBe(stored.length);
    const there = new Set(stored);
    expect([...(acknowledged[i] ?? [])].filter((number) => !there.has(number))).toEqual([]);
    expect(acknowledged[i]?.size).toBeGreaterThan(500);
  });
  for (let partition = 0; partition < hub.events.partitions; partition++) {
    const numbers = events.filter((event) => event.partition === partition).map((event) => event.sequenceNumber);
    expect(numbers).toEqual(numbers.map((_, n) => n));
  }
}, 40_000);
