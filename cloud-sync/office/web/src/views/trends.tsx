import { useState } from "preact/hooks";
import type { TrendSeries } from "../../../../services/query/trends/schema.ts";
import { decodeChosen, encodeChosen, isSame, SERIES_MAX, type SeriesKey } from "../data/chosen.ts";
import { useTrend } from "../data/use-trend.ts";
import { Segments } from "../parts/filters.tsx";
import { Problem } from "../parts/problem.tsx";
import { SeriesPicker } from "../parts/series-picker.tsx";
import { SpanPicker, spanOf } from "../parts/span-picker.tsx";
import { TrendCharts } from "../parts/trend-charts.tsx";
import { type Route, replaceParams } from "../router.ts";
import { formatMoment } from "../words.ts";

const LAYOUTS = [
  ["shared", "One chart"],
  ["multiples", "One each"],
] as const;

/** Up to eight signals of any machines of any factories over one span. What is chosen stands in the address. */
export function Trends({ route }: { route: Route }) {
  const chosen = decodeChosen(route.params.get("series"));
  const hours = spanOf(route.params.get("hours"));
  const layout = LAYOUTS.find(([each]) => each === route.params.get("layout"))?.[0] ?? "shared";
  const endText = route.params.get("end");
  const endMs = endText === null || !/^\d{1,15}$/.test(endText) ? null : Number(endText);
  const trend = useTrend(chosen, Number(hours), endMs);
  const [isOpened, setOpen] = useState<boolean | null>(null);
  const isOpen = isOpened ?? chosen.length === 0;
  const choose = (next: readonly SeriesKey[]): void => replaceParams(route, { series: encodeChosen(next) });
  const toggle = (key: SeriesKey): void =>
    choose(chosen.some((each) => isSame(each, key)) ? chosen.filter((each) => !isSame(each, key)) : [...chosen, key]);
  const titleOf = (key: SeriesKey): string => trend.data?.series.find((each) => isSame(each, key))?.title ?? key.signal;
  const nameOf = ({ machineId, title }: TrendSeries): string => `${machineId} · ${title}`;
  return (
    <section>
      <div class="view-head">
        <h1>Trends</h1>
        {endMs !== null && <span class="muted num">until {formatMoment(endMs)}</span>}
      </div>
      <div class="filters">
        <SpanPicker
          hours={hours}
          endMs={endMs}
          onHours={(each) => replaceParams(route, { hours: each })}
          onEnd={(each) => replaceParams(route, { end: each === null ? undefined : String(Math.round(each)) })}
        />
        <Segments
          label="Layout"
          value={layout}
          choices={LAYOUTS}
          onChange={(each) => replaceParams(route, { layout: each })}
        />
      </div>
      <ul class="chosen">
        {chosen.map((key, index) => (
          <li key={`${key.machineId} ${key.signal}`} class={`line-${(index % 8) + 1}`}>
            <span title={`${key.machineId} ${key.signal}`}>
              {key.machineId} · {titleOf(key)}
            </span>
            <button
              type="button"
              class="off"
              aria-label={`Take ${key.machineId} ${titleOf(key)} away`}
              onClick={() => toggle(key)}
            >
              ×
            </button>
          </li>
        ))}
        <li>
          <button type="button" class="plain" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? "Done choosing" : `Choose signals (${chosen.length} of ${SERIES_MAX})`}
          </button>
        </li>
      </ul>
      {isOpen && (
        <div class="sheet">
          <SeriesPicker chosen={chosen} onToggle={toggle} />
        </div>
      )}
      <div class="sheet trends">
        {trend.error !== undefined && <Problem error={trend.error} />}
        {chosen.length === 0 ? (
          <p class="empty">
            Choose a machine and tick up to eight signals; they may be of several machines and factories.
          </p>
        ) : trend.data === undefined ? (
          trend.error === undefined && <p class="empty">Loading …</p>
        ) : (
          <TrendCharts trend={trend.data} layout={layout} nameOf={nameOf} />
        )}
      </div>
    </section>
  );
}
