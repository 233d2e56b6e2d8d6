import { useEffect, useRef } from "preact/hooks";
import { formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { Trend, TrendSeries } from "../../../../services/query/trends/schema.ts";
import { TrendPlot } from "./trend-plot.ts";

/** More lines than this have no bands: they would hide one another. */
const BANDS_MAX = 3;
const HEIGHT = 340;
const HEIGHT_SMALL = 170;

interface TrendChartsProps {
  readonly trend: Trend;
  readonly layout: "shared" | "multiples";
  readonly nameOf: (series: TrendSeries) => string;
}

export function TrendCharts({ trend, layout, nameOf }: TrendChartsProps) {
  const isEmpty = trend.series.every(({ timesMs }) => timesMs.length === 0);
  const thinned = trend.series.reduce((sum, series) => sum + series.thinned.length, 0);
  const bad = trend.series.reduce((sum, series) => sum + series.bad, 0);
  return (
    <>
      {/* Also those without a point: each keeps its colour. */}
      {layout === "shared" ? (
        !isEmpty && <Plot trend={trend} series={trend.series} firstColour={0} height={HEIGHT} nameOf={nameOf} />
      ) : (
        <div class="multiples">
          {trend.series.map((series, index) => (
            <figure key={`${series.machineId} ${series.signal}`}>
              <figcaption>{nameOf(series)}</figcaption>
              {series.timesMs.length === 0 ? (
                <p class="empty">{nothing(series)}</p>
              ) : (
                <Plot trend={trend} series={[series]} firstColour={index} height={HEIGHT_SMALL} nameOf={nameOf} />
              )}
            </figure>
          ))}
        </div>
      )}
      {layout === "shared" &&
        trend.series
          .filter(({ timesMs }) => timesMs.length === 0)
          .map((series) => (
            <p key={`${series.machineId} ${series.signal}`} class="muted">
              {nameOf(series)}: {nothing(series)}
            </p>
          ))}
      {thinned > 0 && (
        <p class="notice">
          {formatNumber(thinned)} points stand on aggregates of the box alone: their readings are not all here.
        </p>
      )}
      {bad > 0 && <p class="muted">{formatNumber(bad)} readings of this time are Bad and not drawn.</p>}
    </>
  );
}

function nothing({ known }: TrendSeries): string {
  return known ? "no number in this time" : "no factory has sent this signal";
}

interface PlotProps {
  readonly trend: Trend;
  readonly series: readonly TrendSeries[];
  readonly firstColour: number;
  readonly height: number;
  readonly nameOf: (series: TrendSeries) => string;
}

function Plot({ trend, series, firstColour, height, nameOf }: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  const name = useRef(nameOf);
  name.current = nameOf;
  const { fromMs, toMs, bucketMs } = trend;
  const points = series.reduce((sum, { timesMs }) => sum + timesMs.length, 0);
  useEffect(() => {
    if (host.current === null) return;
    const plot = new TrendPlot(
      host.current,
      series,
      { fromMs, toMs, bucketMs },
      {
        height,
        firstColour,
        withBand: series.length <= BANDS_MAX,
        nameOf: (each) => name.current(each),
      },
    );
    return () => plot.destroy();
  }, [trend, series.length, firstColour, height]);
  return (
    <div
      class="chart"
      ref={host}
      data-points={points}
      role="img"
      aria-label={`Trend of ${series.map(nameOf).join(", ")}`}
    />
  );
}
