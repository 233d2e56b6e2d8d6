import { useState } from "preact/hooks";
import { formatValue } from "../../../../../edge/dashboard/web/src/format.ts";
import { severityOf, statusName } from "../../../../../edge/kernel/status-code.ts";
import type { SignalView } from "../../../../services/query/machines/schema.ts";
import { SERIES_MAX } from "../data/chosen.ts";
import { age, DASH, formatMoment } from "../words.ts";

/** Rows drawn; more are reached by the filter. */
const ROWS_MAX = 500;

interface SignalListProps {
  readonly signals: readonly SignalView[];
  readonly chosen: readonly string[];
  readonly onToggle: (name: string) => void;
  readonly nowMs: number;
}

/** Newest value of every signal; a checkbox puts it on the chart. */
export function SignalList({ signals, chosen, onToggle, nowMs }: SignalListProps) {
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const rows = signals.filter(({ name, title }) => `${title} ${name}`.toLowerCase().includes(wanted));
  return (
    <section class="sheet signals" aria-labelledby="signals-title">
      <div class="table-head">
        <h2 id="signals-title">
          Signals{" "}
          <span class="muted num">
            {rows.length === signals.length ? signals.length : `${rows.length} of ${signals.length}`}
          </span>
        </h2>
        <input
          type="search"
          placeholder="Filter signals"
          aria-label="Filter signals"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      </div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col" class="pick">
                Chart
              </th>
              <th scope="col">Signal</th>
              <th scope="col" class="col-value">
                Value
              </th>
              <th scope="col" class="col-status">
                Status
              </th>
              <th scope="col" class="col-age">
                Age
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, ROWS_MAX).map((signal) => (
              <Row
                key={signal.name}
                signal={signal}
                isOn={chosen.includes(signal.name)}
                isFull={chosen.length >= SERIES_MAX}
                onToggle={onToggle}
                nowMs={nowMs}
              />
            ))}
          </tbody>
        </table>
      </div>
      {rows.length === 0 && <p class="empty">{signals.length === 0 ? "No signal yet." : "No signal is called so."}</p>}
      {rows.length > ROWS_MAX && <p class="muted">{rows.length - ROWS_MAX} more: narrow them by the filter.</p>}
    </section>
  );
}

interface RowProps {
  readonly signal: SignalView;
  readonly isOn: boolean;
  readonly isFull: boolean;
  readonly onToggle: (name: string) => void;
  readonly nowMs: number;
}

function Row({ signal, isOn, isFull, onToggle, nowMs }: RowProps) {
  const { name, title, unit, type, value, statusCode, receivedMs } = signal;
  const severity = statusCode === null ? null : severityOf(statusCode);
  return (
    <tr data-signal={name}>
      <td class="pick">
        <input
          type="checkbox"
          checked={isOn}
          disabled={!isOn && (isFull || typeof value === "string")}
          aria-label={`${title} on the chart`}
          onChange={() => onToggle(name)}
        />
      </td>
      <th scope="row">
        {title}
        {title !== name && <small>{name}</small>}
      </th>
      <td class="col-value">
        <span class="value num">{formatValue(value as Parameters<typeof formatValue>[0], type)}</span>{" "}
        <span class="unit">{value === null ? "" : unit}</span>
      </td>
      <td class="col-status">
        {severity === null ? (
          <span class="muted">no reading yet</span>
        ) : severity === "good" ? (
          <span class="muted">Good</span>
        ) : (
          <b class={severity}>{statusName(statusCode ?? 0)}</b>
        )}
      </td>
      <td class="col-age num" title={receivedMs === null ? undefined : formatMoment(receivedMs)}>
        {receivedMs === null ? DASH : age(nowMs, receivedMs)}
      </td>
    </tr>
  );
}
