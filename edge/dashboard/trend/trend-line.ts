import { severityOf } from "../../kernel/status-code.ts";
import type { SeriesSlice } from "../../log/series.ts";
import { Downsampler, type Line } from "./downsample.ts";

export interface TrendSignal {
  readonly name: string;
  readonly intervalMs: number;
  readonly polled: boolean;
}

/** One signal's line while its readings arrive in the order of the stream. */
export class TrendLine {
  readonly #signal: TrendSignal;
  readonly #fromMs: number;
  readonly #breaksMs: readonly number[];
  readonly #sampler: Downsampler;
  readonly #silenceMs: number;
  #breakIndex = 0;
  #lastMs: number | undefined;
  /** The value that a subscribed signal had before the trend begins. */
  #held: { readonly timeMs: number; readonly value: number } | undefined;

  /** @param breaksMs instants, ascending, at which the line breaks whatever is drawn around them */
  constructor(
    signal: TrendSignal,
    { fromMs, toMs, points }: { fromMs: number; toMs: number; points: number },
    breaksMs: readonly number[],
  ) {
    this.#signal = signal;
    this.#fromMs = fromMs;
    this.#breaksMs = breaksMs;
    this.#sampler = new Downsampler(fromMs, toMs, points);
    this.#silenceMs = 3 * signal.intervalMs + 5_000;
  }

  add({ timesMs, numbers, statusCodes, isAggregate }: SeriesSlice): void {
    for (let i = 0; i < timesMs.length; i++) {
      const isBad = severityOf(statusCodes[i] as number) === "bad" || !Number.isFinite(numbers[i]);
      this.#point(timesMs[i] as number, isBad ? null : (numbers[i] as number), isAggregate);
    }
  }

  #point(timeMs: number, value: number | null, isAggregate: boolean): void {
    if (timeMs < this.#fromMs) {
      this.#held = value === null || this.#signal.polled ? undefined : { timeMs, value };
      return;
    }
    this.#begin();
    this.#breakUntil(timeMs);
    const silenceMs = isAggregate ? this.#silenceMs + 60_000 : this.#silenceMs;
    if (this.#signal.polled && this.#lastMs !== undefined && timeMs - this.#lastMs > silenceMs)
      this.#sampler.add(this.#lastMs + silenceMs, null);
    this.#lastMs = timeMs;
    this.#sampler.add(timeMs, value);
  }

  finish(): Line {
    this.#begin();
    this.#breakUntil(Number.POSITIVE_INFINITY);
    return this.#sampler.finish();
  }

  #begin(): void {
    const held = this.#held;
    this.#held = undefined;
    if (!held) return;
    const isLost = this.#breaksMs.some((breakMs) => breakMs >= held.timeMs && breakMs <= this.#fromMs);
    if (!isLost) this.#sampler.add(this.#fromMs, held.value);
  }

  #breakUntil(timeMs: number): void {
    for (; this.#breakIndex < this.#breaksMs.length; this.#breakIndex++) {
      const breakMs = this.#breaksMs[this.#breakIndex] as number;
      if (breakMs > timeMs) return;
      if (breakMs >= this.#fromMs) this.#sampler.add(breakMs, null);
    }
  }
}
