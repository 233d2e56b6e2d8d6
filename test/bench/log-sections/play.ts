import type { LogDriver } from "../data/log-driver.ts";
import { readingsOf, type TelemetryEvent, type Tick } from "../data/tick.ts";
import { START_MS } from "./section.ts";

/**
 * Plays ticks into the log as fast as it takes them, on its accelerated clock: at each tick's end one append, committed at
 * once as the recorder does, until `durationMs` after the start; a second call goes on. Gives the readings; `keep` takes the events, for other encodings of the same.
 */
export async function play(
  driver: LogDriver,
  ticks: Iterator<Tick>,
  durationMs: number,
  keep?: (events: readonly TelemetryEvent[]) => void,
): Promise<number> {
  let readings = 0;
  for (let next = ticks.next(); !next.done; next = ticks.next()) {
    const { nowMs, events } = next.value;
    await driver.maintain(nowMs);
    if (events.length > 0) await driver.append(events, "now");
    readings += readingsOf(events);
    keep?.(events);
    if (nowMs >= START_MS + durationMs) break;
  }
  return readings;
}
