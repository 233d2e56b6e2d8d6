import { formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { PredictionPage, PredictionView } from "../../../../services/query/entities/schema.ts";
import { useData } from "../data/use-data.ts";
import { age, formatHours, formatMoment, formatShare } from "../words.ts";
import { requirementWord } from "./need.tsx";

const EVERY_MS = 10_000;
const SHOWN = 6;

interface Driver {
  readonly signal: string;
  readonly value: number;
}

/** What the models said of a machine lately; the same word again and again is told once. */
export function PredictionList({ machineId, nowMs }: { machineId: string; nowMs: number }) {
  const { data } = useData<PredictionPage>("/api/query/predictions", { machine: machineId, limit: 200 }, EVERY_MS);
  const runs = runsOf(data?.rows ?? []).slice(0, SHOWN);
  return (
    <section class="sheet" aria-labelledby="predictions-title">
      <div class="table-head">
        <h2 id="predictions-title">Predictions</h2>
      </div>
      {runs.length === 0 && <p class="muted">No model has said anything of this machine yet.</p>}
      <ol class="predictions">
        {runs.map(({ newest, count }) => (
          <li key={newest.id}>
            <p>
              <b class={newest.requirement === "none" ? "muted" : ""}>{requirementWord(newest.requirement)}</b>
              {newest.outsideTraining && <span class="chip guess">a guess</span>}
              <small>
                {" "}
                {[
                  newest.probability === null ? "" : `${formatShare(newest.probability)} sure`,
                  newest.remainingHours === null ? "" : `${formatHours(newest.remainingHours)} left`,
                  count > 1 ? `${count} times` : "",
                ]
                  .filter((part) => part !== "")
                  .join(" · ")}
              </small>
            </p>
            {newest.message !== "" && <p>{newest.message}</p>}
            <small class="below" title={formatMoment(newest.atMs)}>
              {age(nowMs, newest.atMs)} · {newest.scoredBy} · {newest.model}
              {driversOf(newest).map(({ signal, value }) => ` · ${signal} ${formatNumber(value)}`)}
            </small>
          </li>
        ))}
      </ol>
    </section>
  );
}

function runsOf(rows: readonly PredictionView[]): { newest: PredictionView; count: number }[] {
  const runs: { newest: PredictionView; count: number }[] = [];
  for (const row of rows) {
    const run = runs.at(-1);
    if (run !== undefined && run.newest.requirement === row.requirement && run.newest.model === row.model)
      run.count += 1;
    else runs.push({ newest: row, count: 1 });
  }
  return runs;
}

function driversOf({ signals }: PredictionView): readonly Driver[] {
  return Array.isArray(signals)
    ? (signals as Driver[]).filter(({ value }) => typeof value === "number").slice(0, 3)
    : [];
}
