import type { LogDriver } from "../data/log-driver.ts";
import { readingsOf, type TelemetryEvent, type Tick } from "../data/tick.ts";
import { START_MS } from "./section.ts";

/**
 * Plays ticks into the log as fast as it takes them, on its accelerated clock: at each tick's end one append, committed at
 * once as the recorder does. Gives the readings; `keep` takes the events, for other encodings of the same.
 */
export async function play(
  driver: LogDriver,
  ticks: Iterable<Tick>,
  durationMs: number,
  keep?: (events: readonly TelemetryEvent[]) => void,
): Promise<number> {
  let readings = 0;
  for (const { nowMs, events } of ticks) {
    if (nowMs > START_MS + durationMs) break;
    await driver.maintain(nowMs);
    if (events.length > 0) await driver.append(events, "now");
    readings += readingsOf(events);
    keep?.(events);
  }
  return readings;
}
