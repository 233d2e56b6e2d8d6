import { durationText, timeText } from "../../text.ts";
import { numberText, plural } from "../log/words.ts";
import type { UplinkReport } from "./uplink-report.ts";

/** How the line is, in a sentence without its full stop. */
export function conditionText({ condition, status, waiting }: UplinkReport, nowMs: number): string {
  const { sinceMs, today } = status;
  const since = `since ${timeText(sinceMs)}`;
  if (condition === "sending") return `connected ${since}`;
  if (condition === "catching-up")
    return `connected ${since}, catching up: ${plural(waiting.readings, "reading")} to send`;
  if (condition === "falling-behind") return `connected ${since}, but more comes in than goes out`;
  if (condition === "connecting") return "connecting";
  if (condition === "cut") return `CUT ${since} (${durationText(nowMs - sinceMs)})`;
  if (condition === "refused") return `REFUSED by the hub ${since}`;
  if (condition === "stopped") return `NOT running: the uplink was stopped at ${timeText(sinceMs)}`;
  if (condition === "silent") return `NOT running: the uplink has said nothing since ${timeText(status.updatedMs)}`;
  const budget = today.unitsMax === null ? "" : ` (${numberText(today.units)} of ${numberText(today.unitsMax)} units)`;
  return `the day's messages are used up${budget}; sending goes on after midnight UTC`;
}

/** That nothing is lost, and for how long that stays so. */
export function keptText({ roomMs, waiting }: Pick<UplinkReport, "roomMs" | "waiting">): string {
  if (roomMs === 0) return "the log is full: its oldest readings are being thinned";
  const nothingLost = waiting.readings === 0 ? "all is acknowledged" : "nothing is lost";
  return roomMs === null ? nothingLost : `${nothingLost}; without a line there is room for ${durationText(roomMs)}`;
}
