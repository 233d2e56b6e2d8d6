import { useMemo } from "preact/hooks";
import { ANOMALY_KINDS } from "../../../../contract/insight.ts";
import type { AnomalyView } from "../../../../services/query/entities/schema.ts";
import { usePages } from "../data/use-pages.ts";
import { AnomalyTable } from "../parts/anomaly-table.tsx";
import { Choice, FactoryFilter, Segments } from "../parts/filters.tsx";
import { More } from "../parts/more.tsx";
import { type Route, replaceParams } from "../router.ts";

const EVERY_MS = 5_000;
const HOUR_MS = 3_600_000;
const SPANS = [
  ["1", "1 h"],
  ["24", "24 h"],
  ["168", "7 d"],
  ["720", "30 d"],
] as const;

export function Anomalies({ route, nowMs }: { route: Route; nowMs: number }) {
  const value = (name: string): string => route.params.get(name) ?? "";
  const hours = SPANS.find(([each]) => each === value("hours"))?.[0] ?? "24";
  // From here on: the begin of a list that is read on and on must not move.
  const fromMs = useMemo(() => Math.max(0, Date.now() - Number(hours) * HOUR_MS), [hours]);
  const pages = usePages<AnomalyView>(
    "/api/query/anomalies",
    { factory: value("factory"), kind: value("kind"), fromMs, limit: 100 },
    (row) => `${row.machineId} ${row.id}`,
    EVERY_MS,
  );
  return (
    <section>
      <div class="view-head">
        <h1>Anomalies</h1>
      </div>
      <div class="filters">
        <FactoryFilter value={value("factory")} onChange={(factory) => replaceParams(route, { factory })} />
        <Choice
          label="Kind"
          value={value("kind")}
          choices={[["", "Any kind"], ...ANOMALY_KINDS.map((kind): [string, string] => [kind, kind])]}
          onChange={(kind) => replaceParams(route, { kind })}
        />
        <Segments
          label="Span"
          value={hours}
          choices={SPANS}
          onChange={(each) => replaceParams(route, { hours: each })}
        />
      </div>
      <div class="sheet">
        <AnomalyTable rows={pages.rows} nowMs={nowMs} />
        <More pages={pages} empty="No anomaly in this time." />
      </div>
    </section>
  );
}
