import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { HubDesk } from "../../../cloud-sync/uplink/hub-desk.ts";
import { createConnector } from "../../../cloud-sync/uplink/link/connector.ts";
import { openUplinkState } from "../../../cloud-sync/uplink/state/uplink-state.ts";
import { Uplink } from "../../../cloud-sync/uplink/uplink.ts";
import { printReady, untilAskedToEnd } from "../../../edge/kernel/child.ts";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { loadConfig } from "../../../edge/kernel/config/load.ts";
import { createLogger } from "../../../edge/kernel/logging.ts";
import { LogKeeper } from "../../../edge/log/keep/keeper.ts";
import { openLog } from "../../../edge/log/log.ts";
import { cellTicks } from "../data/cell-data.ts";

/**
 * A factory's box without its OPC UA servers: the simulated factory's readings in real time into a real log, and the real uplink behind
 * it, in one process as `tailstock up` has them. Prints what it appended when it is asked to end and the uplink has sent all.
 */
const { values } = parseArgs({
  options: {
    folder: { type: "string", default: "" },
    site: { type: "string", default: "" },
    cells: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
  },
});
const TICK_MS = 250;
const asked = untilAskedToEnd();
const { config } = await loadConfig(join(values.folder, "tailstock.yaml"));
const { uplink } = config;
if (uplink === undefined) throw new Error("the configuration has no uplink");
const logger = createLogger({ level: "warn", pretty: false, destination: process.stderr });
const clock = systemClock;
const log = openLog({ path: config.log.path, clock, ownStream: `${values.site}/edge` });
const ending = new AbortController();
const keeping = new LogKeeper({ log, clock, logger }).run(ending.signal, () => undefined);
const state = openUplinkState(join(values.folder, "uplink.db"), logger);
const desk = new HubDesk({
  uplink,
  site: values.site,
  configPath: join(values.folder, "tailstock.yaml"),
  pkiPath: config.opcua.pkiPath,
  version: "bench",
  log,
  clock,
  logger,
});
const connector = createConnector(uplink, { requests: desk, clock, logger, environment: {} });
const engine = new Uplink({ log, state, connector, config: uplink, site: values.site, clock, logger });
const sending = Promise.all([desk.run(engine, ending.signal), engine.run(ending.signal, () => undefined)]);
printReady({ pid: process.pid });

let readings = 0;
let late = 0;
let isAsked = false;
void asked.then(() => {
  isAsked = true;
});
const ticks = cellTicks({
  machines: Number(values.cells),
  seed: Number(values.seed),
  startMs: Date.now(),
  tickMs: TICK_MS,
});
for (const { nowMs, events } of ticks) {
  if (isAsked) break;
  const waitMs = nowMs - Date.now();
  if (waitMs > 0) await delay(waitMs);
  late = Math.max(late, -waitMs);
  const own = events.map((event) => ({ ...event, machineId: event.machineId.replace(/^[^/]+/, values.site) }));
  for (const { data } of own) readings += data.samples.length;
  void log.append(own);
}
const deadline = performance.now() + 60_000;
for (;;) {
  const { telemetry, priority } = engine.status().lanes;
  if (telemetry.backlogEvents + priority.backlogEvents === 0 || performance.now() > deadline) break;
  await delay(100);
}
const { telemetry } = engine.status().lanes;
ending.abort();
await Promise.allSettled([keeping, sending]);
log.close();
process.stdout.write(`${JSON.stringify({ readings, lateMsMax: Math.round(late), unsent: telemetry.backlogEvents })}\n`);
process.exit(0);
