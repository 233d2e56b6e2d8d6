import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { decodeMessage } from "../../../cloud-sync/contract/frame/message.ts";
import { UNIT_BYTES } from "../../../cloud-sync/uplink/ports.ts";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { createLogger } from "../../../edge/kernel/logging.ts";
import { LogKeeper } from "../../../edge/log/keep/keeper.ts";
import { openLog } from "../../../edge/log/log.ts";
import { HubConsumer, type HubMessage } from "../../support/hub-consumer.ts";
import { type ProcessUsage, quantile, usageOf } from "../../support/process-usage.ts";
import { cellTicks } from "../data/cell-data.ts";
import { SEED } from "../log-sections/section.ts";
import { DEVICE, type Row, type SectionOptions, withHub, withUplink } from "./fixture.ts";

const CELLS = 100;
const TICK_MS = 250;
const DAY_S = 86_400;
/** What is asked for: so late at most, for so many units a day at most. */
const GOALS = [
  { latencyMs: 5_000, withinMs: 6_000, unitsMax: 600_000 },
  { latencyMs: 55_000, withinMs: 60_000, unitsMax: 400_000 },
];
/** What the uplink's process may hold. */
const RSS_MB_MAX = 300;

/**
 * 100 machines of 100 simulated signals at 1 Hz, in real time through the log, the uplink's module, TLS and the hub, to a
 * consumer. Units are counted as IoT Hub does, per message and 4 KB begun, of body and properties; latency is from the time
 * of each reading at its source to the hub's time of enqueueing. Memory and CPU are those of the uplink's own process.
 */
export async function cost({ seconds }: SectionOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const goal of GOALS) rows.push(...(await costOf(goal, Math.max(seconds, (goal.latencyMs / 1_000) * 3))));
  rows.push(["one message a reading", `${(10_000 * DAY_S) / 1e6} M units a day`, "by comparison"]);
  return rows;
}

function costOf({ latencyMs, withinMs, unitsMax }: (typeof GOALS)[number], seconds: number): Promise<Row[]> {
  return withHub([DEVICE], async (hub, folder) => {
    const messages: HubMessage[] = [];
    await using consumer = new HubConsumer(hub.eventsConnection, (message) => messages.push(message));
    consumer.start();
    const log = openLog({ path: join(folder, "bench.db"), clock: systemClock, ownStream: "redmond/edge" });
    const ending = new AbortController();
    const keeper = new LogKeeper({ log, clock: systemClock, logger: createLogger({ level: "error", pretty: false }) });
    const keeping = keeper.run(ending.signal, () => undefined);
    try {
      const usage = await withUplink(hub, folder, { latencyMs, latencyMsMax: latencyMs }, async (pid) => {
        const before = usageOf(pid);
        const beginMs = Date.now();
        for (const { nowMs, events } of cellTicks({ machines: CELLS, seed: SEED, startMs: beginMs, tickMs: TICK_MS })) {
          if (nowMs - beginMs > seconds * 1_000 + latencyMs) break;
          await delay(Math.max(0, nowMs - Date.now()));
          void log.append(events);
        }
        await delay(latencyMs + 3_000);
        return usageRows(latencyMs, before, usageOf(pid), Date.now() - beginMs);
      });
      return [...rowsOf(messages, { latencyMs, withinMs, unitsMax }), ...usage];
    } finally {
      ending.abort();
      await keeping;
      log.close();
    }
  });
}

function usageRows(latencyMs: number, before: ProcessUsage, after: ProcessUsage, spanMs: number): Row[] {
  const name = `${latencyMs / 1_000} s`;
  const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  return [
    [
      `${name}: memory of the uplink`,
      mb(after.rssPeakBytes),
      `peak RSS, asked: ${RSS_MB_MAX} MB; ${mb(after.rssBytes)} at the end`,
    ],
    [
      `${name}: CPU of the uplink`,
      `${(((after.cpuMs - before.cpuMs) / spanMs) * 100).toFixed(1)} %`,
      "of one core, its start included",
    ],
  ];
}

function rowsOf(messages: readonly HubMessage[], { latencyMs, withinMs, unitsMax }: (typeof GOALS)[number]): Row[] {
  const inOrder = messages.toSorted((a, b) => a.enqueuedMs - b.enqueuedMs);
  const frames = inOrder
    .map((message) => ({ message, blocks: decodeMessage(message).blocks.map(({ block }) => [...block.events()]) }))
    .filter(({ blocks }) => blocks.length > 0);
  // The first message holds what was there when the uplink came up, the last what was left.
  const measured = frames.slice(1, -1);
  const fromMs = frames[0]?.message.enqueuedMs ?? 0;
  const toMs = measured.at(-1)?.message.enqueuedMs ?? 0;
  // Messages of the other lane are charged as well.
  const charged = inOrder.filter(({ enqueuedMs }) => fromMs < enqueuedMs && enqueuedMs <= toMs);
  const sizes = charged.map((message) => message.body.length + propertyBytes(message));
  const units = sizes.reduce((sum, size) => sum + Math.ceil(size / UNIT_BYTES), 0);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const latencies: number[] = [];
  for (const { message, blocks } of measured) {
    for (const event of blocks.flat()) {
      if (event.type !== "telemetry") continue;
      for (const { sourceTimestampMs, receivedTimestampMs } of event.data.samples)
        latencies.push(message.enqueuedMs - (sourceTimestampMs ?? receivedTimestampMs));
    }
  }
  const spanS = (toMs - fromMs) / 1_000;
  const sorted = Float64Array.from(latencies).sort();
  const perDay = (units / spanS) * DAY_S;
  const name = `${latencyMs / 1_000} s`;
  return [
    [
      `${name}: units a day`,
      Math.round(perDay).toLocaleString("en"),
      `asked: ${unitsMax.toLocaleString("en")}; ${charged.length} messages in ${spanS.toFixed(0)} s`,
    ],
    [
      `${name}: latency p99`,
      `${(quantile(sorted, 0.99) / 1_000).toFixed(2)} s`,
      `asked: ${withinMs / 1_000} s; p50 ${(quantile(sorted, 0.5) / 1_000).toFixed(2)} s; ${(latencies.length / spanS).toFixed(0)} readings/s`,
    ],
    [`${name}: bytes a reading`, (bytes / latencies.length).toFixed(2), "properties included"],
  ];
}

function propertyBytes({ properties }: HubMessage): number {
  return Object.entries(properties).reduce((sum, [key, value]) => sum + key.length + String(value).length, 0) + 64;
}
