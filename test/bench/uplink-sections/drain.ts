import { setTimeout as delay } from "node:timers/promises";
import { decodeMessage } from "../../../cloud-sync/contract/frame/message.ts";
import { CURSOR_BY_LANE } from "../../../cloud-sync/uplink/ports.ts";
import { openLogReader } from "../../../edge/log/reader.ts";
import { HubConsumer } from "../../support/hub-consumer.ts";
import { usageOf } from "../../support/process-usage.ts";
import { BulkSource } from "../data/bulk.ts";
import { LogDriver } from "../data/log-driver.ts";
import { SEED, START_MS } from "../log-sections/section.ts";
import { fill } from "../log-sections/throughput.ts";
import { DEVICE, type Row, type SectionOptions, withHub, withUplink } from "./fixture.ts";

const COMMIT_S = 25;
const LOOK_MS = 50;

/** A factory's readings that waited through an outage, sent through TLS to the hub by the uplink as its module runs. */
export function drain({ readings }: SectionOptions): Promise<Row[]> {
  return withHub([DEVICE], async (hub, folder) => {
    const driver = new LogDriver(folder, START_MS);
    const source = new BulkSource({ seed: SEED, startMs: START_MS });
    const seconds = Math.ceil(readings / source.readingsPerBatch);
    await fill(driver, source, seconds, COMMIT_S);
    await driver.seal();
    const logBytes = driver.sizeBytes();
    driver.close();
    const log = openLogReader(driver.path);
    const head = log.head();
    const measured = await withUplink(hub, folder, {}, async (pid) => {
      while (log.cursor(CURSOR_BY_LANE.telemetry) === 0) await delay(LOOK_MS);
      const first = log.cursor(CURSOR_BY_LANE.telemetry);
      const startedMs = performance.now();
      const before = { uplink: usageOf(pid).cpuMs, hub: usageOf(hub.pid).cpuMs };
      while (log.cursor(CURSOR_BY_LANE.telemetry) < head) await delay(LOOK_MS);
      const wallMs = performance.now() - startedMs;
      const uplink = usageOf(pid);
      const cpu = { uplink: uplink.cpuMs - before.uplink, hub: usageOf(hub.pid).cpuMs - before.hub };
      return { wallMs, share: (head - first) / head, cpu, rssPeakBytes: uplink.rssPeakBytes };
    });
    log.close();
    const total = seconds * source.readingsPerBatch;
    const sent = total * measured.share;
    const arrived = await countArrived(hub.eventsConnection, total);
    const seconds72h = 72 * 3600;
    return [
      [
        "backlog drained",
        `${(sent / measured.wallMs / 1000).toFixed(2)} M readings/s`,
        `${total / 1e6} M readings, ${(logBytes / 1e6).toFixed(0)} MB log`,
      ],
      ["uplink's RSS, peak", `${(measured.rssPeakBytes / 1e6).toFixed(0)} MB`, "its whole process, from its start"],
      [
        "CPU of uplink and hub",
        `${((measured.cpu.uplink / measured.wallMs) * 100).toFixed(0)} % and ${((measured.cpu.hub / measured.wallMs) * 100).toFixed(0)} % of a core`,
        "",
      ],
      [
        "72 h of 10,000 signals",
        `${(((measured.wallMs / sent) * 10_000 * seconds72h) / 60_000).toFixed(0)} min`,
        `extrapolated from ${((total / (10_000 * seconds72h)) * 100).toFixed(1)} % of it`,
      ],
      [
        "arrived at a consumer",
        `${arrived} readings`,
        arrived === total ? "all of them, each once" : `${total} were sent`,
      ],
    ];
  });
}

/** Readings in the blocks at the hub, each block once. */
async function countArrived(connection: string, expected: number): Promise<number> {
  const seen = new Set<string>();
  let readings = 0;
  let lastMs = performance.now();
  await using consumer = new HubConsumer(connection, (message) => {
    lastMs = performance.now();
    for (const { block } of decodeMessage(message).blocks) {
      const { epoch, machineId, firstSeq, lastSeq, samples } = block.head;
      const key = `${epoch}/${machineId}/${firstSeq}-${lastSeq}`;
      if (!seen.has(key)) readings += samples;
      seen.add(key);
    }
  });
  consumer.start();
  while (readings < expected && performance.now() - lastMs < 20_000) await delay(LOOK_MS);
  return readings;
}
