import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../edge/kernel/clock.ts";
import { openLog } from "../../edge/log/log.ts";
import { noiseOf } from "./events.ts";

// The process of several that keeps the log: seals again and again and sheds, for it appends more than its quota holds.
// Prints how often it has sealed.
const [path = ""] = process.argv.slice(2);
const log = openLog({ path, clock: systemClock, quotaBytes: 6 << 20, diskReserveBytes: 0 });
for (let n = 1; ; n++) {
  await log.append(noiseOf("k/1", 100, 100), "now");
  while (log.sealStep()) await delay(1);
  while (log.maintain()) await delay(1);
  process.stdout.write(`${n}\n`);
}
