import uPlot from "uplot";
import type { SignalView } from "../../../schemas/views.ts";
import { formatAlike } from "../format.ts";
import type { TrendData } from "./trend-data.ts";

const HEIGHT = 300;
const COLOURS = 8;
const stepped = uPlot.paths.stepped?.({ align: 1 }) as uPlot.Series.PathBuilder;

/** The chart itself. Signals of one unit share a scale; the first two scales have an axis each, the others only their line. */
export class TrendChart {
  readonly #host: HTMLElement;
  readonly #signals: readonly SignalView[];
  readonly #write: (signal: SignalView, value: number) => string;
  readonly #resize: ResizeObserver;
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  #plot: uPlot | undefined;

  /** @param write a value with its unit, for the legend */
  constructor(host: HTMLElement, signals: readonly SignalView[], write: (signal: SignalView, value: number) => string) {
    this.#host = host;
    this.#write = write;
    this.#signals = signals;
    this.#build();
    this.#resize = new ResizeObserver(() => this.#plot?.setSize({ width: host.clientWidth, height: HEIGHT }));
    this.#resize.observe(host);
    this.#dark.addEventListener("change", this.#rebuild);
  }

  #rebuild = (): void => {
    this.#plot?.destroy();
    this.#build();
  };

  #build(): void {
    const style = getComputedStyle(this.#host);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const font = `12px ${style.fontFamily}`;
    const scales = [...new Set(this.#signals.map(scaleOf))];
    const axis = { stroke: colour("--muted"), font, ticks: { stroke: colour("--line"), size: 4 } };
    this.#plot = new uPlot(
      {
        width: this.#host.clientWidth,
        height: HEIGHT,
        ms: 1e-3,
        cursor: { drag: { x: false, y: false }, points: { size: 7 }, dataIdx: sampleAt },
        legend: { live: true },
        scales: { x: { time: true }, ...Object.fromEntries(scales.map((scale) => [scale, { range: padded }])) },
        axes: [
          { ...axis, space: 84, grid: { stroke: colour("--grid"), width: 1 }, values: clockTicks },
          ...scales.slice(0, 2).map(
            (scale, index): uPlot.Axis => ({
              ...axis,
              stroke: this.#axisColour(scale, colour),
              scale,
              side: index === 0 ? 3 : 1,
              size: 64,
              grid: { show: index === 0, stroke: colour("--grid"), width: 1 },
              values: (_plot, splits) => formatAlike(splits),
              label: scale === " " ? "" : scale,
              labelFont: font,
              labelSize: 18,
            }),
          ),
        ],
        series: [
          {
            label: "Time",
            value: (_plot, seconds) =>
              seconds === null ? "–" : new Date(seconds * 1_000).toLocaleTimeString([], { hour12: false }),
          },
          ...this.#signals.map(
            (signal, index): uPlot.Series => ({
              label: signal.title,
              scale: scaleOf(signal),
              stroke: colour(`--line-${(index % COLOURS) + 1}`),
              width: 1.75,
              // A subscribed value holds until the next one comes; a ramp between the two was never measured.
              ...(signal.polled ? {} : { paths: stepped }),
              spanGaps: false,
              points: { show: false },
              value: (_plot, value) => (value === null || value === undefined ? "–" : this.#write(signal, value)),
            }),
          ),
        ],
      },
      [[], ...this.#signals.map(() => [])] as uPlot.AlignedData,
      this.#host,
    );
  }

  /** An axis of a single signal has its line's colour. */
  #axisColour(scale: string, colour: (name: string) => string): string {
    const users = this.#signals.flatMap((signal, index) => (scaleOf(signal) === scale ? [index] : []));
    return users.length === 1 ? colour(`--line-${((users[0] ?? 0) % COLOURS) + 1}`) : colour("--muted");
  }

  /** @param held the value that a signal is known to hold at the right edge, or null */
  draw(data: TrendData, fromMs: number, toMs: number, held: (name: string) => number | null): void {
    const plot = this.#plot;
    if (!plot) return;
    const tables = this.#signals.map(
      ({ name }) => data.columns(name, fromMs, toMs, held(name)) as unknown as uPlot.AlignedData,
    );
    // A null of one signal's own breaks its line; where only other signals have a time, its line goes on.
    const joined = uPlot.join(
      tables,
      tables.map(() => [2, 2]),
    );
    plot.batch(() => {
      plot.setData(joined as uPlot.AlignedData, false);
      plot.setScale("x", { min: fromMs / 1_000, max: toMs / 1_000 });
    });
    // Nobody points at the chart: the legend tells the newest values, and a dash where a line is broken now.
    if (typeof plot.cursor.idx !== "number") {
      const newest = joined.map((column) => column.findLastIndex((value) => value !== undefined));
      plot.setLegend({ idxs: newest.map((index) => (index < 0 ? null : index)) }, false);
    }
  }

  destroy(): void {
    this.#resize.disconnect();
    this.#dark.removeEventListener("change", this.#rebuild);
    this.#plot?.destroy();
  }
}

/** What a signal was at the pointed time: its newest sample until then, unless its line is broken there. */
function sampleAt(plot: uPlot, series: number, pointed: number): number {
  const values = plot.data[series];
  let index = pointed;
  while (index > 0 && values?.[index] === undefined) index -= 1;
  return index;
}

function scaleOf({ unit }: SignalView): string {
  return unit === "" ? " " : unit;
}

/** A flat line is drawn in the middle of a scale of its own size, not at the edge of an empty one. */
function padded(_plot: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
  if (min === null || max === null) return [0, 1];
  const pad = max > min ? (max - min) * 0.08 : Math.max(Math.abs(max) * 0.1, 0.5);
  return [min - pad, max + pad];
}

function clockTicks(_plot: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  const seconds = step < 60;
  return splits.map((split) =>
    new Date(split * 1_000).toLocaleTimeString([], {
      hour: "2-digit",
      minute: "2-digit",
      ...(seconds ? { second: "2-digit" } : {}),
      hour12: false,
    }),
  );
}
