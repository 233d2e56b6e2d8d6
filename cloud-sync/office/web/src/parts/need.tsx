import type { NeedView } from "../../../../services/query/machines/schema.ts";
import { capital, DASH, formatHours, formatShare } from "../words.ts";

const SOON_HOURS = 24;
const LATER_HOURS = 168;

export function needLevel(need: NeedView | null): "alarm" | "warn" | "calm" {
  if (need === null || need.requirement === "none" || need.outsideTraining) return "calm";
  if (need.remainingHours !== null && need.remainingHours <= SOON_HOURS) return "alarm";
  if (need.remainingHours !== null && need.remainingHours <= LATER_HOURS) return "warn";
  return "calm";
}

export function requirementWord(requirement: string): string {
  return requirement === "none" ? "Nothing to do" : capital(requirement);
}

/** What is to be done; a guess is called one. */
export function Requirement({ need }: { need: NeedView | null }) {
  if (need === null) return <span class="muted">no prediction</span>;
  if (need.requirement === "none") return <span class="muted">nothing to do</span>;
  return (
    <span title={need.message}>
      {requirementWord(need.requirement)}
      {need.outsideTraining && (
        <span class="chip guess" title="The model was not trained on such readings">
          a guess
        </span>
      )}
    </span>
  );
}

/** Hours that are left, as a range where the model gives one. */
export function Remaining({ need }: { need: NeedView | null }) {
  if (need === null || need.remainingHours === null) return <span class="muted">{DASH}</span>;
  const { remainingHours, remainingHoursLow, remainingHoursHigh } = need;
  const level = needLevel(need);
  return (
    <span>
      <b class={level === "alarm" ? "bad" : level === "warn" ? "uncertain" : "calm"}>{formatHours(remainingHours)}</b>
      {remainingHoursLow !== null && remainingHoursHigh !== null && (
        <small>
          {" "}
          {formatHours(remainingHoursLow)} – {formatHours(remainingHoursHigh)}
        </small>
      )}
    </span>
  );
}

export function Sure({ probability }: { probability: number | null }) {
  return <span class={probability === null ? "muted" : ""}>{formatShare(probability)}</span>;
}
