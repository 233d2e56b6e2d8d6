import { formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { LedgerRangeView } from "../../../../services/query/ledger/schema.ts";

const WORDS = { missing: "missing", lost: "lost", thinned: "thinned" } as const;

/** Exactly which events of a stream are not here, and why. */
export function LedgerRanges({ ranges, more }: { ranges: readonly LedgerRangeView[]; more: boolean }) {
  if (ranges.length === 0) return <span class="muted">nothing missing</span>;
  return (
    <ul class="ranges num">
      {ranges.map(({ firstSeq, lastSeq, state, cause }) => (
        <li key={`${state} ${firstSeq}`}>
          <b class={state === "lost" ? "bad" : state === "missing" ? "uncertain" : "calm"}>{WORDS[state]}</b>{" "}
          {formatNumber(firstSeq)}
          {lastSeq > firstSeq && <> – {formatNumber(lastSeq)}</>}{" "}
          <small>
            ({formatNumber(lastSeq - firstSeq + 1)}){" "}
            {state === "missing" ? "not here yet, may still come" : cause || "the box does not say why"}
          </small>
        </li>
      ))}
      {more && <li class="muted">and more</li>}
    </ul>
  );
}
