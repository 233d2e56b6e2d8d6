import type { AlarmView } from "../../../../services/query/entities/schema.ts";
import { machineHref } from "../router.ts";
import { age, formatMoment } from "../words.ts";

const UNACKNOWLEDGED = ["unacknowledged", "returned-unacknowledged"];

/** Colour for what nobody has acknowledged yet. @param withMachine false in the view of one machine */
export function AlarmTable({
  rows,
  nowMs,
  withMachine = true,
}: {
  rows: readonly AlarmView[];
  nowMs: number;
  withMachine?: boolean;
}) {
  return (
    <table class="list alarms">
      <thead>
        <tr>
          <th scope="col" class="w-priority">
            Priority
          </th>
          <th scope="col" class="w-state-wide">
            State
          </th>
          {withMachine && <th scope="col">Machine</th>}
          <th scope="col">Alarm</th>
          <th scope="col" class="w-age number">
            Raised
          </th>
          <th scope="col" class="w-age number">
            Changed
          </th>
          <th scope="col" class="w-count number">
            Times
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const isNew = UNACKNOWLEDGED.includes(row.state);
          return (
            <tr key={`${row.machineId} ${row.alarmId}`}>
              <td>
                <span class={isNew ? `chip priority-${row.priority}` : "chip"}>{row.priority}</span>
              </td>
              <td>
                {isNew ? <b>{row.state.replaceAll("-", " ")}</b> : <span>{row.state.replaceAll("-", " ")}</span>}
                {row.acknowledgedBy !== null && <small class="below">by {row.acknowledgedBy}</small>}
              </td>
              {withMachine && (
                <th scope="row">
                  <a href={machineHref(row.machineId)}>{row.machineId}</a>
                </th>
              )}
              <td>
                <span class="sentence" title={row.message}>
                  {row.message}
                </span>
                {row.signal !== null && <small class="below">{row.signal}</small>}
              </td>
              <td class="num number muted" title={formatMoment(row.raisedMs)}>
                {age(nowMs, row.raisedMs)}
              </td>
              <td class="num number muted" title={formatMoment(row.changedMs)}>
                {age(nowMs, row.changedMs)}
              </td>
              <td class="num number">{row.occurrences}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
