import { Budget } from "./budget.ts";
import type { UplinkStatus } from "./ports.ts";

/**
 * How the line to the cloud is, in the one word that the screen, the command line and the metrics share.
 * sending: all is well. catching-up: a backlog drains. falling-behind: more comes in than goes out. connecting: no attempt
 * has ended yet. cut: nobody answers at the hub. refused: the hub answers and does not let us in. quota: the day's messages
 * are used up. stopped: the uplink was ended. silent: its process has said nothing for a while.
 */
export const UPLINK_CONDITIONS = [
  "sending",
  "catching-up",
  "falling-behind",
  "connecting",
  "cut",
  "refused",
  "quota",
  "stopped",
  "silent",
] as const;
export type UplinkCondition = (typeof UPLINK_CONDITIONS)[number];

/** A running uplink writes its status every second or so: after this long without one it does not run. */
export const STATUS_SILENT_MS = 20_000;
/** Events that have waited for so long beyond the time of gathering are a backlog. */
const BACKLOG_LAG_MS = 60_000;
/** With less room than this, readings may be lost before somebody comes to mend the line. */
const ROOM_SCARCE_MS = 24 * 3_600_000;

export function conditionOf(status: UplinkStatus, nowMs: number): UplinkCondition {
  const { state, lastError, lanes, today, gatherMs } = status;
  if (state === "stopped") return "stopped";
  if (Math.abs(nowMs - status.updatedMs) > STATUS_SILENT_MS) return "silent";
  const isOverQuota = lastError?.code === "UPLINK_QUOTA" && (status.lastAckMs ?? 0) < lastError.atMs;
  // Of the budget a part is kept for what happens, so that telemetry stops before all of it is used.
  const budget = new Budget({
    unitsPerDayMax: today.unitsMax ?? undefined,
    latencyMs: gatherMs,
    latencyMsMax: gatherMs,
  });
  const isOverBudget = !budget.hasUnits(nowMs, today.units);
  if (isOverQuota || (state === "connected" && isOverBudget)) return "quota";
  if (state === "refused") return "refused";
  if (state !== "connected") return lastError === null ? "connecting" : "cut";
  const { telemetry, priority } = lanes;
  if (Math.max(telemetry.lagMs, priority.lagMs) < gatherMs + BACKLOG_LAG_MS) return "sending";
  return telemetry.drainMs === null && priority.drainMs === null ? "falling-behind" : "catching-up";
}

export interface UplinkOutlook {
  readonly condition: UplinkCondition;
  /** Colour is for what is abnormal: warn is to be looked at today, alarm now. */
  readonly level: "calm" | "warn" | "alarm";
}

/**
 * @param roomMs how long the log has room for what comes in, null when nothing comes in
 */
export function outlookOf(status: UplinkStatus, roomMs: number | null, nowMs: number): UplinkOutlook {
  const condition = conditionOf(status, nowMs);
  const isCalm = condition === "sending" || condition === "catching-up" || condition === "connecting";
  if (isCalm) return { condition, level: status.deadLetters > 0 ? "warn" : "calm" };
  // The buffer is made for a line that is cut: only a buffer that runs full calls for somebody now.
  const isScarce = roomMs !== null && roomMs < ROOM_SCARCE_MS;
  return { condition, level: isScarce || condition === "refused" ? "alarm" : "warn" };
}
