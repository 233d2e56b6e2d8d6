import { formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { AnomalyView } from "../../../../services/query/entities/schema.ts";
import { machineHref } from "../router.ts";
import { age, DASH, formatMoment } from "../words.ts";

/** @param withMachine false in the view of one machine */
export function AnomalyTable({
  rows,
  nowMs,
  withMachine = true,
}: {
  rows: readonly AnomalyView[];
  nowMs: number;
  withMachine?: boolean;
}) {
  return (
    <table class="list anomalies">
      <thead>
        <tr>
          <th scope="col" class="w-age">
            When
          </th>
          {withMachine && <th scope="col">Machine</th>}
          <th scope="col" class="w-kind">
            Kind
          </th>
          <th scope="col" class="w-signal">
            Signal
          </th>
          <th scope="col">What was seen</th>
          <th scope="col" class="w-score">
            Score
          </th>
          <th scope="col" class="w-model">
            Found by
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={`${row.machineId} ${row.id}`}>
            <td class="num muted" title={formatMoment(row.atMs)}>
              {age(nowMs, row.atMs)}
            </td>
            {withMachine && (
              <th scope="row">
                <a href={machineHref(row.machineId)}>{row.machineId}</a>
              </th>
            )}
            <td>{row.kind}</td>
            <td>{row.signal ?? <span class="muted">whole machine</span>}</td>
            <td>
              <span class="sentence" title={row.message}>
                {row.message || DASH}
              </span>
            </td>
            <td class="num">
              {row.score === null ? (
                DASH
              ) : (
                <>
                  {formatNumber(row.score)}
                  {row.threshold !== null && <small> of {formatNumber(row.threshold)}</small>}
                </>
              )}
            </td>
            <td>
              <small>
                {row.scoredBy} · {row.model}
              </small>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
