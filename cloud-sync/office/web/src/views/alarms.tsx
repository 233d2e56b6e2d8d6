import type { AlarmView } from "../../../../services/query/entities/schema.ts";
import { usePages } from "../data/use-pages.ts";
import { AlarmTable } from "../parts/alarm-table.tsx";
import { Choice, FactoryFilter, Segments } from "../parts/filters.tsx";
import { More } from "../parts/more.tsx";
import { type Route, replaceParams } from "../router.ts";
import { capital } from "../words.ts";

const EVERY_MS = 3_000;
const SELECTIONS = [
  ["standing", "Standing"],
  ["unacknowledged", "Unacknowledged"],
  ["active", "Active"],
  ["all", "All"],
] as const;
const PRIORITIES = ["critical", "high", "medium", "low"];

/** Alarms are acknowledged at the machine, where somebody sees what goes on; the office looks on. */
export function Alarms({ route, nowMs }: { route: Route; nowMs: number }) {
  const value = (name: string): string => route.params.get(name) ?? "";
  const only = SELECTIONS.find(([each]) => each === value("only"))?.[0] ?? "standing";
  const pages = usePages<AlarmView>(
    "/api/query/alarms",
    { factory: value("factory"), priority: value("priority"), only, limit: 100 },
    (row) => `${row.machineId} ${row.alarmId}`,
    EVERY_MS,
  );
  return (
    <section>
      <div class="view-head">
        <h1>Alarms</h1>
        <p class="muted">Acknowledged at the factory, by who sees the machine.</p>
      </div>
      <div class="filters">
        <FactoryFilter value={value("factory")} onChange={(factory) => replaceParams(route, { factory })} />
        <Choice
          label="Priority"
          value={value("priority")}
          choices={[["", "Any priority"], ...PRIORITIES.map((each): [string, string] => [each, capital(each)])]}
          onChange={(priority) => replaceParams(route, { priority })}
        />
        <Segments
          label="Which"
          value={only}
          choices={SELECTIONS}
          onChange={(each) => replaceParams(route, { only: each })}
        />
      </div>
      <div class="sheet">
        <AlarmTable rows={pages.rows} nowMs={nowMs} />
        <More pages={pages} empty={only === "standing" ? "No alarm stands." : "No such alarm."} />
      </div>
    </section>
  );
}
