import { useMemo } from "preact/hooks";
import { formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { ClassReport, ElectricityReport, Statistics } from "../../../../services/query/reports/schema.ts";
import { pathOf } from "../data/api.ts";
import { type Loaded, useData } from "../data/use-data.ts";
import { FactoryFilter, Segments } from "../parts/filters.tsx";
import { Histogram } from "../parts/histogram.tsx";
import { requirementWord } from "../parts/need.tsx";
import { Problem } from "../parts/problem.tsx";
import { Scatter, ShapeKey } from "../parts/scatter.tsx";
import { type Route, replaceParams } from "../router.ts";
import { DASH, formatMoment } from "../words.ts";

const HOUR_MS = 3_600_000;
const SPANS = [
  ["8", "8 h"],
  ["24", "24 h"],
  ["168", "7 d"],
  ["720", "30 d"],
] as const;
const BY = [
  ["factory", "By factory"],
  ["machine", "By machine"],
] as const;

/** Two questions about the fleet, to be read, printed and taken along. */
export function Reports({ route }: { route: Route }) {
  const value = (name: string): string => route.params.get(name) ?? "";
  const hours = SPANS.find(([each]) => each === value("hours"))?.[0] ?? "24";
  const by = BY.find(([each]) => each === value("by"))?.[0] ?? "factory";
  const factory = value("factory");
  const toMs = useMemo(() => Date.now(), [hours]);
  const span = { factory, fromMs: toMs - Number(hours) * HOUR_MS, toMs };
  const electricity = useData<ElectricityReport>("/api/query/reports/electricity", { ...span, by });
  const classes = useData<ClassReport>("/api/query/reports/classes", span);
  const csv = (name: string, table: string): string =>
    pathOf(`/api/query/reports/${name}.csv`, { ...span, table, ...(name === "electricity" ? { by } : {}) });
  return (
    <section class="reports">
      <div class="view-head">
        <h1>Reports</h1>
        <p class="muted num">
          {formatMoment(span.fromMs)} to {formatMoment(toMs)}
          {factory !== "" && `, ${factory}`}
        </p>
      </div>
      <div class="filters">
        <Segments
          label="Span"
          value={hours}
          choices={SPANS}
          onChange={(each) => replaceParams(route, { hours: each })}
        />
        <Segments label="Groups" value={by} choices={BY} onChange={(each) => replaceParams(route, { by: each })} />
        <FactoryFilter value={factory} onChange={(each) => replaceParams(route, { factory: each })} />
        <button type="button" class="plain" onClick={() => print()}>
          Print
        </button>
      </div>
      <Report
        id="electricity"
        title="Electricity of anomalous readings against all readings"
        links={[
          ["Table as CSV", csv("electricity", "groups")],
          ["Distribution as CSV", csv("electricity", "distribution")],
        ]}
        loaded={electricity}
        isEmpty={electricity.data?.groups.length === 0}
      >
        {electricity.data !== undefined && <Electricity report={electricity.data} />}
      </Report>
      <Report
        id="classes"
        title="Temperature against pressure by maintenance class"
        links={[
          ["Classes as CSV", csv("classes", "classes")],
          ["Points as CSV", csv("classes", "points")],
        ]}
        loaded={classes}
        isEmpty={classes.data?.classes.length === 0}
      >
        {classes.data !== undefined && <Classes report={classes.data} />}
      </Report>
    </section>
  );
}

interface ReportProps {
  readonly id: string;
  readonly title: string;
  readonly links: readonly (readonly [title: string, href: string])[];
  readonly loaded: Loaded<unknown>;
  readonly isEmpty: boolean;
  readonly children: preact.ComponentChildren;
}

function Report({ id, title, links, loaded, isEmpty, children }: ReportProps) {
  return (
    <article class="sheet report" aria-labelledby={`${id}-title`}>
      <div class="table-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {links.map(([name, href]) => (
          <a key={name} class="button" href={href} download>
            {name}
          </a>
        ))}
      </div>
      {loaded.error !== undefined && <Problem error={loaded.error} />}
      {loaded.data === undefined && loaded.error === undefined && <p class="empty">Loading …</p>}
      {isEmpty ? <p class="empty">No telemetry entity of this time has such readings.</p> : children}
    </article>
  );
}

function Electricity({ report }: { report: ElectricityReport }) {
  const { groups, total, by, unit, truncated } = report;
  const difference =
    total.all.mean === null || total.anomalous.mean === null || total.all.mean === 0
      ? null
      : (total.anomalous.mean / total.all.mean - 1) * 100;
  return (
    <>
      {difference !== null && (
        <p class="finding">
          Anomalous readings use{" "}
          <b>
            {formatNumber(Math.abs(difference), 1)} % {difference >= 0 ? "more" : "less"}
          </b>{" "}
          electricity than all readings: {formatNumber(total.anomalous.mean ?? 0)} against{" "}
          {formatNumber(total.all.mean ?? 0)} {unit} on average.
        </p>
      )}
      <Histogram report={report} />
      <ul class="parts">
        <li>
          <svg width="14" height="14" aria-hidden="true">
            <rect class="fill-all" width="14" height="14" />
          </svg>
          all readings
        </li>
        <li>
          <svg width="14" height="14" aria-hidden="true">
            <rect class="fill-anomalous" width="14" height="14" />
          </svg>
          anomalous readings
        </li>
      </ul>
      <table class="list statistics">
        <thead>
          <tr>
            <th scope="col">{by === "factory" ? "Factory" : "Machine"}</th>
            <th scope="col" class="number">
              All readings
            </th>
            <th scope="col" class="number">
              Mean ± sd, {unit}
            </th>
            <th scope="col" class="number">
              Anomalous
            </th>
            <th scope="col" class="number">
              Mean ± sd, {unit}
            </th>
            <th scope="col" class="number">
              Mean recorded
            </th>
          </tr>
        </thead>
        <tbody>
          {groups.map(({ group, all, anomalous, recorded }) => (
            <tr key={group}>
              <th scope="row">{group}</th>
              <td class="num number">{formatNumber(all.count)}</td>
              <td class="num number">{spread(all)}</td>
              <td class="num number">{formatNumber(anomalous.count)}</td>
              <td class="num number">{spread(anomalous)}</td>
              <td class="num number muted">{recorded.mean === null ? DASH : formatNumber(recorded.mean)}</td>
            </tr>
          ))}
          <tr class="total">
            <th scope="row">All together</th>
            <td class="num number">{formatNumber(total.all.count)}</td>
            <td class="num number">{spread(total.all)}</td>
            <td class="num number">{formatNumber(total.anomalous.count)}</td>
            <td class="num number">{spread(total.anomalous)}</td>
            <td />
          </tr>
        </tbody>
      </table>
      {truncated && <p class="muted">More groups than are shown: narrow it by the factory.</p>}
      <p class="muted how">
        Readings are telemetry entities that measured {report.signal}. A reading is anomalous when an anomaly of any
        signal names its entity. “Mean recorded” is of every reading of the whole hours, entity or not.
      </p>
    </>
  );
}

function Classes({ report }: { report: ClassReport }) {
  const { classes, x, y, sampled } = report;
  return (
    <>
      <Scatter report={report} />
      <table class="list statistics">
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col" class="number">
              Predictions
            </th>
            <th scope="col" class="number">
              Of these guesses
            </th>
            <th scope="col" class="number">
              {x.signal}, {x.unit}
            </th>
            <th scope="col" class="number">
              {y.signal}, {y.unit}
            </th>
          </tr>
        </thead>
        <tbody>
          {classes.map((each, index) => (
            <tr key={each.requirement}>
              <th scope="row">
                <ShapeKey index={index} /> {requirementWord(each.requirement)}
              </th>
              <td class="num number">{formatNumber(each.count)}</td>
              <td class={`num number ${each.outside === 0 ? "muted" : ""}`}>{formatNumber(each.outside)}</td>
              <td class="num number">{spread(each.x)}</td>
              <td class="num number">{spread(each.y)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="muted how">
        Each prediction stands beside the readings of its own entity; mean ± standard deviation.
        {sampled && " The chart shows a sample, counts and means are of all."}
      </p>
    </>
  );
}

function spread({ mean, sd }: Pick<Statistics, "mean" | "sd">): string {
  if (mean === null) return DASH;
  return sd === null ? formatNumber(mean) : `${formatNumber(mean)} ± ${formatNumber(sd)}`;
}
