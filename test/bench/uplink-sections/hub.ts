import { setTimeout as delay } from "node:timers/promises";
import { HubConsumer } from "../../support/hub-consumer.ts";
import type { HubProgram } from "../../support/hub-program.ts";
import { ownUsage, usageOf } from "../../support/process-usage.ts";
import { firstLine, startProgram } from "../../support/runtime-process.ts";
import { medianOf } from "../log-sections/section.ts";
import { type Row, type SectionOptions, withHub } from "./fixture.ts";

const DEVICES = ["sender-1", "sender-2", "sender-3", "sender-4"];
const WINDOW = 64;
const SECONDS = 10;
const MESSAGE_BYTES = 4096;

/** What the local hub takes from devices, each message on its disk before it is acknowledged, and gives to consumers. */
export function hub({ repeat }: SectionOptions): Promise<Row[]> {
  return withHub(DEVICES, async (program) => {
    const rates: number[] = [];
    let total = 0;
    const before = usageOf(program.pid).cpuMs;
    for (let run = 0; run < repeat; run++) {
      const { acknowledged, wallMs } = await send(program);
      total += acknowledged;
      rates.push((acknowledged / wallMs) * 1_000);
    }
    const hubUs = ((usageOf(program.pid).cpuMs - before) / total) * 1_000;
    const consumed: { perSecond: number; hubUs: number; ownUs: number }[] = [];
    for (let run = 0; run < repeat; run++) consumed.push(await consume(program, total));
    const median = (key: "perSecond" | "hubUs" | "ownUs"): number => medianOf(consumed.map((one) => one[key]));
    return [
      [
        "taken, acknowledged when durable",
        `${medianOf(rates).toFixed(0)} messages/s`,
        `4 KB, ${DEVICES.length} devices, ${WINDOW} under way each; median of ${repeat} × ${SECONDS} s`,
      ],
      ["hub's CPU", `${hubUs.toFixed(0)} µs a message`, "taking"],
      [
        "given to a consumer",
        `${median("perSecond").toFixed(0)} events/s`,
        `4 KB, 4 partitions at once, Microsoft's client; median of ${repeat} × ${total} events`,
      ],
      [
        "CPU of hub and client",
        `${median("hubUs").toFixed(0)} and ${median("ownUs").toFixed(0)} µs an event`,
        "giving",
      ],
    ];
  });
}

async function send(program: HubProgram): Promise<{ acknowledged: number; wallMs: number }> {
  const child = startProgram([
    "test/bench/uplink-sections/sender.ts",
    ...["--connections", JSON.stringify(DEVICES.map((id) => program.deviceConnection(id)))],
    ...["--ca", program.addresses.ca],
    ...["--window", String(WINDOW)],
    ...["--bytes", String(MESSAGE_BYTES)],
    ...["--seconds", String(SECONDS)],
  ]);
  return JSON.parse(await firstLine(child)) as { acknowledged: number; wallMs: number };
}

async function consume(
  program: HubProgram,
  total: number,
): Promise<{ perSecond: number; hubUs: number; ownUs: number }> {
  let events = 0;
  let firstMs = 0;
  let lastMs = 0;
  await using consumer = new HubConsumer(program.eventsConnection, () => {
    lastMs = performance.now();
    if (events++ === 0) firstMs = lastMs;
  });
  const before = { hub: usageOf(program.pid).cpuMs, own: ownUsage().cpuMs };
  consumer.start();
  while (events < total) await delay(20);
  const perEvent = (cpuMs: number): number => (cpuMs / total) * 1_000;
  return {
    perSecond: (total / (lastMs - firstMs)) * 1_000,
    hubUs: perEvent(usageOf(program.pid).cpuMs - before.hub),
    ownUs: perEvent(ownUsage().cpuMs - before.own),
  };
}
