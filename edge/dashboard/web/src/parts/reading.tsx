import { severityOf, statusName } from "../../../../kernel/status-code.ts";
import type { SignalView } from "../../../schemas/views.ts";
import { formatAge, formatValue } from "../format.ts";
import { freshnessOf, type LinkWord } from "../staleness.ts";

interface ReadingProps {
  readonly signal: SignalView;
  readonly decimals: number | undefined;
  readonly link: LinkWord;
  readonly streamUp: boolean;
  readonly nowMs: number;
}

/** One key value on a tile: title, number, unit; a stale one is hatched and says for how long. */
export function Reading({ signal, decimals, link, streamUp, nowMs }: ReadingProps) {
  const freshness = freshnessOf(signal, link, streamUp, nowMs);
  const bad = signal.statusCode !== null && severityOf(signal.statusCode) !== "good";
  const shown = signal.value ?? signal.goodValue;
  const sinceMs = signal.goodMs ?? signal.receivedMs;
  const text = formatValue(shown, signal.type, decimals);
  return (
    <div class={`reading ${freshness}`} data-signal={signal.name}>
      <dt title={signal.title}>{signal.title}</dt>
      <dd>
        <span class={text.length > 9 ? "value num long" : "value num"} title={text}>
          {text}
        </span>
        {signal.unit && shown !== null && <span class="unit">{signal.unit}</span>}
      </dd>
      {freshness === "stale" && (
        <p class="note">
          {bad && streamUp && signal.statusCode !== null ? statusName(signal.statusCode) : "stale"}
          {sinceMs !== null && ` ${formatAge(Math.max(2_000, nowMs - sinceMs))}`}
        </p>
      )}
      {freshness === "waiting" && <p class="note">no reading yet</p>}
    </div>
  );
}
