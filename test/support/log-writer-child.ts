import { systemClock } from "../../edge/kernel/clock.ts";
import { openLog } from "../../edge/log/log.ts";
import { sampleOf, telemetryOf } from "./events.ts";

// A producer in a process of its own, to be killed: appends to two machines and prints each acknowledged count at once.
const [path = "", name = "", machines = "a/1,a/2"] = process.argv.slice(2);
const log = openLog({ path, clock: systemClock, commitIntervalMs: 5 });
for (let n = 1; ; n++) {
  const events = machines
    .split(",")
    .map((machineId) => telemetryOf(machineId, [sampleOf(name, n), sampleOf("filler", "x".repeat(n % 700))]));
  await log.append(events, n % 3 === 0 ? "now" : "grouped");
  process.stdout.write(`${n}\n`);
}
