import { useState } from "preact/hooks";
import { severityOf, statusName } from "../../../../kernel/status-code.ts";
import type { SignalView } from "../../../schemas/views.ts";
import { formatAge, formatValue } from "../format.ts";
import { freshnessOf, type LinkWord } from "../staleness.ts";

interface SignalTableProps {
  readonly signals: readonly SignalView[];
  readonly decimalsOf: (signal: SignalView) => number | undefined;
  readonly chosen: readonly string[];
  readonly onToggle: (name: string) => void;
  readonly link: LinkWord;
  readonly streamUp: boolean;
  readonly nowMs: number;
  readonly chartFull: boolean;
}

type SortKey = "title" | "value" | "status" | "age";
const COLUMNS: readonly { readonly key: SortKey; readonly title: string }[] = [
  { key: "title", title: "Signal" },
  { key: "value", title: "Value" },
  { key: "status", title: "Status" },
  { key: "age", title: "Age" },
];
/** Rows drawn; more are reached by the filter. */
const ROWS_MAX = 500;
const collator = new Intl.Collator("en", { numeric: true });

/** Every signal of a machine; a checkbox puts it on the chart. */
export function SignalTable(props: SignalTableProps) {
  const { signals, decimalsOf, chosen, onToggle, link, streamUp, nowMs, chartFull } = props;
  const [sort, setSort] = useState<{ key: SortKey; down: boolean } | null>(null);
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const rows = signals.filter(
    ({ name, title, statusCode }) =>
      wanted === "" ||
      `${title} ${name} ${statusCode === null ? "" : statusName(statusCode)}`.toLowerCase().includes(wanted),
  );
  if (sort) rows.sort((a, b) => compare(a, b, sort.key) * (sort.down ? -1 : 1));
  const press = (key: SortKey) =>
    setSort(sort?.key !== key ? { key, down: false } : sort.down ? null : { key, down: true });
  return (
    <section class="signals" aria-labelledby="signals-title">
      <div class="table-head">
        <h2 id="signals-title">
          Signals{" "}
          <span class="muted num">
            {rows.length === signals.length ? signals.length : `${rows.length} of ${signals.length}`}
          </span>
        </h2>
        <input
          type="search"
          placeholder="Filter by name or status"
          aria-label="Filter signals"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col" class="pick">
              Chart
            </th>
            {COLUMNS.map(({ key, title }) => (
              <th
                key={key}
                scope="col"
                class={`col-${key}`}
                aria-sort={sort?.key === key ? (sort.down ? "descending" : "ascending") : "none"}
              >
                <button type="button" onClick={() => press(key)}>
                  {title}
                  <span aria-hidden="true">{sort?.key === key ? (sort.down ? " ▾" : " ▴") : ""}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_MAX).map((signal) => {
            const freshness = freshnessOf(signal, link, streamUp, nowMs);
            const severity = signal.statusCode === null ? "waiting" : severityOf(signal.statusCode);
            const shown = signal.value ?? signal.goodValue;
            const on = chosen.includes(signal.name);
            const ageMs = signal.receivedMs === null ? null : nowMs - (signal.goodMs ?? signal.receivedMs);
            return (
              <tr key={signal.name} class={freshness} data-signal={signal.name}>
                <td class="pick">
                  <input
                    type="checkbox"
                    checked={on}
                    disabled={!on && (chartFull || !isNumeric(signal))}
                    onChange={() => onToggle(signal.name)}
                    aria-label={`${signal.title} on the chart`}
                  />
                </td>
                <th scope="row">
                  {signal.title}
                  {signal.title !== signal.name && <small>{signal.name}</small>}
                </th>
                <td class="col-value">
                  <span class="value num">{formatValue(shown, signal.type, decimalsOf(signal))}</span>{" "}
                  <span class="unit">{shown === null ? "" : signal.unit}</span>
                </td>
                <td class="col-status">
                  {signal.statusCode === null ? (
                    <span class="muted">no reading yet</span>
                  ) : severity !== "good" ? (
                    <b class={severity}>{breakable(statusName(signal.statusCode))}</b>
                  ) : freshness === "stale" ? (
                    <b class="uncertain">Stale</b>
                  ) : (
                    <span class="muted">Good</span>
                  )}
                </td>
                <td class="col-age num">{ageMs === null ? "–" : formatAge(ageMs)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length === 0 && (
        <p class="empty">{signals.length === 0 ? "Loading signals …" : `No signal matches “${filter}”.`}</p>
      )}
      {rows.length > ROWS_MAX && <p class="muted">{rows.length - ROWS_MAX} more: narrow them by the filter.</p>}
    </section>
  );
}

/** A long name breaks between its words: "Bad", "Sensor", "Failure". */
function breakable(name: string) {
  return name.split(/(?=[A-Z][a-z])/).flatMap((word, index) => (index === 0 ? [word] : [<wbr key={word} />, word]));
}

/** Also "NaN" and 64-bit integers, which travel as text, have a place on a chart. */
function isNumeric({ goodValue, type }: SignalView): boolean {
  if (typeof goodValue === "number" || typeof goodValue === "boolean") return true;
  return type !== null && /^(u?int|float|bool)/.test(type);
}

function compare(a: SignalView, b: SignalView, key: SortKey): number {
  if (key === "value") {
    const [left, right] = [a.goodValue, b.goodValue];
    if (typeof left === "number" && typeof right === "number") return left - right;
    return collator.compare(formatValue(left), formatValue(right));
  }
  if (key === "status") return (a.statusCode ?? -1) - (b.statusCode ?? -1);
  if (key === "age") return (b.receivedMs ?? 0) - (a.receivedMs ?? 0);
  return collator.compare(a.title, b.title);
}
