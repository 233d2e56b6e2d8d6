import { useMemo } from "preact/hooks";
import { formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { AggregatePage, AggregateView } from "../../../../services/query/maintenance/schema.ts";
import { useData } from "../data/use-data.ts";
import { usePages } from "../data/use-pages.ts";
import { FactoryFilter, Segments } from "../parts/filters.tsx";
import { More } from "../parts/more.tsx";
import { requirementWord } from "../parts/need.tsx";
import { type BarColumn, Legend, StackedBars } from "../parts/stacked-bars.tsx";
import { machineHref, type Route, replaceParams } from "../router.ts";
import { formatMoment } from "../words.ts";

const HOUR_MS = 3_600_000;
const EVERY_MS = 10_000;
const WINDOWS = [
  ["1", "1 h"],
  ["24", "24 h"],
] as const;
const GROUPS = [
  ["requirement", "Requirement"],
  ["factory", "Factory"],
  ["machine", "Machine"],
] as const;
/** Windows that the chart shows. */
const WINDOWS_SHOWN = { 1: 48, 24: 30 } as const;
const PARTS_MAX = 7;

/** How often models asked for what maintenance, in windows of event time. */
export function Maintenance({ route }: { route: Route }) {
  const value = (name: string): string => route.params.get(name) ?? "";
  const windowHours = value("window") === "24" ? 24 : 1;
  const group = GROUPS.find(([each]) => each === value("by"))?.[0] ?? "requirement";
  const factory = value("factory");
  const hideNone = value("none") !== "show";
  const toMs = useMemo(() => {
    const windowMs = windowHours * HOUR_MS;
    return (Math.floor(Date.now() / windowMs) + 1) * windowMs;
  }, [windowHours]);
  const fromMs = toMs - WINDOWS_SHOWN[windowHours] * windowHours * HOUR_MS;
  const span = { windowHours, factory, fromMs, toMs };
  const columnsBy = group === "machine" ? "requirement" : group;
  const chart = useData<AggregatePage>(
    "/api/query/maintenance",
    { ...span, by: ["window", columnsBy, "requirement"], limit: 5_000 },
    EVERY_MS,
  );
  const table = usePages<AggregateView>(
    "/api/query/maintenance",
    { ...span, by: [group, "requirement"], limit: 200 },
    (row) => `${row.machineId} ${row.factoryId} ${row.requirement}`,
    EVERY_MS,
  );
  const shown = (row: AggregateView): boolean => !hideNone || row.requirement !== "none";
  const wordOf = (row: AggregateView): string =>
    columnsBy === "factory" ? (row.factoryId ?? "") : requirementWord(row.requirement ?? "");
  const { columns, parts } = columnsOf((chart.data?.rows ?? []).filter(shown), wordOf, fromMs, toMs, windowHours);
  return (
    <section>
      <div class="view-head">
        <h1>Maintenance</h1>
        <p class="muted">Predictions by window of {windowHours === 1 ? "one hour" : "a day (UTC)"}</p>
      </div>
      <div class="filters">
        <Segments
          label="Window"
          value={String(windowHours) as "1" | "24"}
          choices={WINDOWS}
          onChange={(each) => replaceParams(route, { window: each })}
        />
        <Segments label="By" value={group} choices={GROUPS} onChange={(each) => replaceParams(route, { by: each })} />
        <FactoryFilter value={factory} onChange={(each) => replaceParams(route, { factory: each })} />
        <label class="switch">
          <input
            type="checkbox"
            checked={!hideNone}
            onChange={() => replaceParams(route, { none: hideNone ? "show" : undefined })}
          />
          Also “nothing to do”
        </label>
      </div>
      <div class="sheet">
        {parts.length === 0 ? (
          <p class="empty">{chart.isLoading ? "Loading …" : "No prediction asked for maintenance in this time."}</p>
        ) : (
          <>
            <StackedBars columns={columns} parts={parts} />
            <Legend parts={parts} />
          </>
        )}
      </div>
      <div class="sheet">
        <table class="list aggregates">
          <thead>
            <tr>
              {group !== "requirement" && <th scope="col">{group === "factory" ? "Factory" : "Machine"}</th>}
              <th scope="col">Requirement</th>
              <th scope="col" class="number">
                Predictions
              </th>
              <th scope="col" class="number">
                Of these guesses
              </th>
              <th scope="col" class="number">
                Machines
              </th>
              <th scope="col" class="number">
                Last
              </th>
            </tr>
          </thead>
          <tbody>
            {table.rows.filter(shown).map((row) => (
              <tr key={`${row.machineId} ${row.factoryId} ${row.requirement}`}>
                {group === "factory" && <th scope="row">{row.factoryId}</th>}
                {group === "machine" && (
                  <th scope="row">
                    <a href={machineHref(row.machineId ?? "")}>{row.machineId}</a>
                  </th>
                )}
                <td>{requirementWord(row.requirement ?? "")}</td>
                <td class="num number">{formatNumber(row.predictions)}</td>
                <td class={`num number ${row.outside === 0 ? "muted" : ""}`}>{formatNumber(row.outside)}</td>
                <td class="num number">{formatNumber(row.machines)}</td>
                <td class="num number muted">{formatMoment(row.lastMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <More pages={table} empty="No prediction in this time." />
      </div>
    </section>
  );
}

/** Every window has a column, also one without predictions; what is rare is put together as "other". */
function columnsOf(
  rows: readonly AggregateView[],
  wordOf: (row: AggregateView) => string,
  fromMs: number,
  toMs: number,
  windowHours: 1 | 24,
): { columns: BarColumn[]; parts: string[] } {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(wordOf(row), (sums.get(wordOf(row)) ?? 0) + row.predictions);
  const known = [...sums].sort((a, b) => b[1] - a[1]).map(([word]) => word);
  const parts = known.length > PARTS_MAX ? [...known.slice(0, PARTS_MAX), "other"] : known;
  const windowMs = windowHours * HOUR_MS;
  const columns: BarColumn[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += windowMs) {
    const values = parts.map(() => 0);
    for (const row of rows.filter((each) => each.windowMs === atMs)) {
      const index = parts.indexOf(wordOf(row));
      const place = index < 0 ? parts.length - 1 : index;
      values[place] = (values[place] ?? 0) + row.predictions;
    }
    const date = new Date(atMs);
    const title =
      windowHours === 24
        ? date.toLocaleDateString([], { day: "numeric", month: "short", timeZone: "UTC" })
        : date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
    columns.push({ key: String(atMs), title, values });
  }
  return { columns, parts };
}
