import uPlot from "uplot";
import { formatAlike, formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { TrendSeries } from "../../../../services/query/trends/schema.ts";

const COLOURS = 8;
const DAY_S = 86_400;

export interface PlotOptions {
  readonly height: number;
  /** Index of the colour of the first line; the others follow. */
  readonly firstColour: number;
  /** Lowest and highest of each bucket as a band. */
  readonly withBand: boolean;
  /** A name for the legend. */
  readonly nameOf: (series: TrendSeries) => string;
}

/** A trend of one or many signals. Signals of one unit share a scale; the first two scales have an axis each. */
export class TrendPlot {
  readonly #host: HTMLElement;
  readonly #series: readonly TrendSeries[];
  readonly #options: PlotOptions;
  readonly #resize: ResizeObserver;
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #spanS: number;
  readonly #data: uPlot.AlignedData;
  readonly #range: readonly [number, number];
  #plot: uPlot | undefined;

  constructor(
    host: HTMLElement,
    series: readonly TrendSeries[],
    { fromMs, toMs, bucketMs }: { fromMs: number; toMs: number; bucketMs: number },
    options: PlotOptions,
  ) {
    this.#host = host;
    this.#series = series;
    this.#options = options;
    this.#range = [fromMs / 1_000, toMs / 1_000];
    this.#spanS = (toMs - fromMs) / 1_000;
    this.#data = joined(series, bucketMs, options.withBand);
    this.#build();
    this.#resize = new ResizeObserver(() => this.#plot?.setSize({ width: host.clientWidth, height: options.height }));
    this.#resize.observe(host);
    this.#dark.addEventListener("change", this.#rebuild);
  }

  destroy(): void {
    this.#resize.disconnect();
    this.#dark.removeEventListener("change", this.#rebuild);
    this.#plot?.destroy();
  }

  /** Nobody points at the chart: the legend tells the newest values. */
  #tellNewest(plot: uPlot): void {
    if (typeof plot.cursor.idx === "number") return;
    const newest = this.#data.map((column) => {
      const index = (column as (number | null | undefined)[]).findLastIndex(
        (value) => value !== null && value !== undefined,
      );
      return index < 0 ? null : index;
    });
    plot.setLegend({ idxs: newest }, false);
  }

  #rebuild = (): void => {
    this.#plot?.destroy();
    this.#build();
  };

  #build(): void {
    const { height, firstColour, withBand, nameOf } = this.#options;
    const style = getComputedStyle(this.#host);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const lineColour = (index: number): string => colour(`--line-${((firstColour + index) % COLOURS) + 1}`);
    const font = `12px ${style.fontFamily}`;
    const scales = [...new Set(this.#series.map(scaleOf))];
    const axis = { stroke: colour("--muted"), font, ticks: { stroke: colour("--line"), size: 4 } };
    const columns = withBand ? 3 : 1;
    this.#plot = new uPlot(
      {
        width: this.#host.clientWidth,
        height,
        ms: 1e-3,
        cursor: { drag: { x: false, y: false }, points: { size: 7 } },
        hooks: { setCursor: [(plot) => this.#tellNewest(plot)] },
        legend: { live: true },
        scales: {
          x: { time: true, range: () => [...this.#range] },
          ...Object.fromEntries(scales.map((scale) => [scale, { range: padded }])),
        },
        axes: [
          {
            ...axis,
            space: 90,
            grid: { stroke: colour("--grid"), width: 1 },
            values: (_plot, splits, _axis, _space, step) => timeTicks(splits, step),
          },
          ...scales.slice(0, 2).map(
            (scale, index): uPlot.Axis => ({
              ...axis,
              scale,
              side: index === 0 ? 3 : 1,
              size: 62,
              grid: { show: index === 0, stroke: colour("--grid"), width: 1 },
              values: (_plot, splits) => formatAlike(splits),
              label: scale.trim(),
              labelFont: font,
              labelSize: 18,
            }),
          ),
        ],
        series: [
          {
            label: "Time",
            value: (_plot, seconds) => (seconds === null ? "–" : momentOf(seconds, this.#spanS)),
          },
          ...this.#series.flatMap((series, index): uPlot.Series[] => {
            const scale = scaleOf(series);
            const line: uPlot.Series = {
              label: nameOf(series),
              scale,
              stroke: lineColour(index),
              width: 1.75,
              spanGaps: false,
              points: { show: series.timesMs.length < 2, size: 5, fill: lineColour(index) },
              value: (_plot, value) => (value == null ? "–" : `${formatNumber(value)} ${series.unit}`.trim()),
            };
            if (!withBand) return [line];
            const edge: uPlot.Series = { scale, width: 0, stroke: "transparent", points: { show: false }, label: "" };
            return [line, edge, edge];
          }),
        ],
        bands: withBand
          ? this.#series.map((_, index) => ({
              series: [index * columns + 3, index * columns + 2] as [number, number],
              fill: withAlpha(lineColour(index), 0.18),
            }))
          : [],
      },
      this.#data,
      this.#host,
    );
    this.#tellNewest(this.#plot);
    // The edges of the bands are no lines of their own.
    if (withBand)
      this.#host.querySelectorAll(".u-legend .u-series").forEach((row, index) => {
        if (index > 0 && (index - 1) % columns > 0) row.classList.add("edge");
      });
  }
}

/** Columns on one axis of time; a line breaks where nothing was read for three buckets, unless the signal holds its value. */
function joined(series: readonly TrendSeries[], bucketMs: number, withBand: boolean): uPlot.AlignedData {
  const tables = series.map((each) => {
    const silenceMs = Math.max(3 * bucketMs, 3 * (each.intervalMs ?? 0));
    const [times, means, maxima, minima]: [number[], (number | null)[], (number | null)[], (number | null)[]] = [
      [],
      [],
      [],
      [],
    ];
    each.timesMs.forEach((timeMs, index) => {
      const before = each.timesMs[index - 1];
      if (!each.holds && before !== undefined && timeMs - before > silenceMs) {
        times.push((before + bucketMs) / 1_000);
        for (const column of [means, maxima, minima]) column.push(null);
      }
      times.push(timeMs / 1_000);
      means.push(each.means[index] ?? null);
      maxima.push(each.maxima[index] ?? null);
      minima.push(each.minima[index] ?? null);
    });
    return (withBand ? [times, means, maxima, minima] : [times, means]) as uPlot.AlignedData;
  });
  if (tables.length === 0) return [[]];
  // A null of one signal's own breaks its line; where only other signals have a time, its line goes on.
  return uPlot.join(
    tables,
    tables.map((table) => table.map(() => 2)),
  ) as uPlot.AlignedData;
}

function scaleOf({ unit }: TrendSeries): string {
  return unit === "" ? " " : unit;
}

/** A flat line is drawn in the middle of a scale of its own size, not at the edge of an empty one. */
function padded(_plot: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
  if (min === null || max === null) return [0, 1];
  const pad = max > min ? (max - min) * 0.08 : Math.max(Math.abs(max) * 0.1, 0.5);
  return [min - pad, max + pad];
}

function timeTicks(splits: readonly number[], step: number): string[] {
  return splits.map((split) => {
    const date = new Date(split * 1_000);
    const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
    if (step >= DAY_S || isMidnight) return date.toLocaleDateString([], { day: "numeric", month: "short" });
    return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  });
}

function momentOf(seconds: number, spanS: number): string {
  const date = new Date(seconds * 1_000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  return spanS <= DAY_S ? time : `${date.toLocaleDateString([], { day: "numeric", month: "short" })} ${time}`;
}

function withAlpha(hex: string, alpha: number): string {
  const parts = /^#(..)(..)(..)$/
    .exec(hex)
    ?.slice(1)
    .map((part) => Number.parseInt(part, 16));
  return parts === undefined ? hex : `rgb(${parts.join(" ")} / ${alpha})`;
}
