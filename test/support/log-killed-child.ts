import { systemClock } from "../../edge/kernel/clock.ts";
import type { LogStep } from "../../edge/log/event-log.ts";
import { openLog } from "../../edge/log/log.ts";
import { noiseOf } from "./events.ts";

// A box in small: appends noise and an alarm in turn, keeps the log, moves a cursor, against a quota that is soon full. At
// the n-th time that the log comes to a step it kills itself, as a power cut would. Prints what was acknowledged, by line:
// the number of the last append, the last offset, the cursor.
const [path = "", killAt = "", count = "1"] = process.argv.slice(2);
let left = Number(count);
const onStep = (step: LogStep): void => {
  if (step === killAt && --left === 0) process.kill(process.pid, "SIGKILL");
};
const log = openLog({
  path,
  clock: systemClock,
  commitIntervalMs: 1,
  quotaBytes: 2 << 20,
  diskReserveBytes: 0,
  onStep,
});
// What was written last before the kill may not have been acknowledged, and is there all the same.
const newest = log.latest("a/3", "prediction");
for (let n = newest?.type === "prediction" ? Number(newest.data.n) + 1 : 1; ; n++) {
  const machineId = n % 2 === 0 ? "a/2" : "a/1";
  const events = [
    ...noiseOf(machineId, 60, 100),
    { type: "alarm", machineId, timeMs: n, data: { n } } as const,
    { type: "prediction", machineId: "a/3", timeMs: n, data: { n } } as const,
  ];
  const offset = await log.append(events, n % 3 === 0 ? "now" : "grouped");
  log.saveCursor("next", n);
  process.stdout.write(`${n} ${offset}\n`);
  if (n % 2 === 0) log.seal();
  while (log.maintain());
}
