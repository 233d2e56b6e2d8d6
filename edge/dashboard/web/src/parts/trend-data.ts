import { severityOf } from "../../../../kernel/status-code.ts";
import type { Trend } from "../../../schemas/trend.ts";
import type { WireSample } from "../store.ts";

/** Live samples kept on top of what the server thinned; past this the trend is read again. */
const LIVE_POINTS_MAX = 3_000;

interface Line {
  timesMs: number[];
  values: (number | null)[];
}

/** The lines of one chart: as the server thinned them, continued by live samples. */
export class TrendData {
  readonly #lines = new Map<string, Line>();
  #live = 0;

  load(trend: Trend): void {
    const oldest = new Map([...this.#lines].map(([name, line]) => [name, line]));
    this.#lines.clear();
    this.#live = 0;
    for (const { name, timesMs, values } of trend.signals) {
      const line: Line = { timesMs, values };
      // Samples that came while the answer was on its way are newer than its end.
      const before = oldest.get(name);
      const lastMs = timesMs.at(-1) ?? trend.fromMs;
      before?.timesMs.forEach((timeMs, index) => {
        if (timeMs > lastMs && timeMs >= trend.toMs) this.#push(line, timeMs, before.values[index] ?? null);
      });
      this.#lines.set(name, line);
    }
  }

  /** Starts empty lines, so that live samples show before the past is read. */
  choose(names: readonly string[]): void {
    for (const name of this.#lines.keys()) if (!names.includes(name)) this.#lines.delete(name);
    for (const name of names) if (!this.#lines.has(name)) this.#lines.set(name, { timesMs: [], values: [] });
  }

  /** True when something on the chart changed. */
  append(samples: readonly WireSample[]): boolean {
    let changed = false;
    for (const [name, value, statusCode, receivedMs] of samples) {
      const line = this.#lines.get(name);
      if (!line || receivedMs <= (line.timesMs.at(-1) ?? 0)) continue;
      this.#push(line, receivedMs, severityOf(statusCode) === "bad" ? null : chartNumber(value));
      changed = true;
    }
    return changed;
  }

  #push(line: Line, timeMs: number, value: number | null): void {
    line.timesMs.push(timeMs);
    line.values.push(value);
    this.#live += 1;
  }

  get isOverfull(): boolean {
    return this.#live > LIVE_POINTS_MAX;
  }

  get points(): number {
    let points = 0;
    for (const { values } of this.#lines.values()) for (const value of values) if (value !== null) points += 1;
    return points;
  }

  /**
   * Columns for uPlot (times in seconds), cut to what is in view with one point before it. A value that is known to hold
   * still is drawn on to `toMs`: no news of a subscribed signal means that it has not changed.
   */
  columns(name: string, fromMs: number, toMs: number, heldValue: number | null): [number[], (number | null)[]] {
    const line = this.#lines.get(name) ?? { timesMs: [], values: [] };
    let first = 0;
    while (first + 1 < line.timesMs.length && (line.timesMs[first + 1] as number) < fromMs) first += 1;
    const seconds = line.timesMs.slice(first).map((timeMs) => timeMs / 1_000);
    const values = line.values.slice(first);
    if (heldValue !== null && (seconds.at(-1) ?? 0) < toMs / 1_000) {
      if (seconds.length === 0) {
        seconds.push(fromMs / 1_000);
        values.push(heldValue);
      }
      seconds.push(toMs / 1_000);
      values.push(heldValue);
    }
    return [seconds, values];
  }
}

/** What a chart draws of a value on the wire; null when it has no place on a line. */
export function chartNumber(value: WireSample[1]): number | null {
  const number =
    typeof value === "boolean" ? Number(value) : typeof value === "string" ? Number.parseFloat(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}
