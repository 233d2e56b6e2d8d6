import { outlookOf, type UplinkOutlook } from "../../../../cloud-sync/uplink/condition.ts";
import { CURSOR_BY_LANE, type UplinkStatus } from "../../../../cloud-sync/uplink/ports.ts";
import { type Backlog, backlogPast } from "../../../log/backlog.ts";
import { type Forecast, forecast } from "../../../log/forecast.ts";
import type { BoundsOptions } from "../../../log/keep/bounds.ts";
import type { ExaminableLog } from "../../../log/reader.ts";
import { uplinkWord } from "./uplink-word.ts";

export interface UplinkReport extends UplinkOutlook {
  readonly path: string;
  readonly status: UplinkStatus;
  /** In the log, not acknowledged by the hub. */
  readonly waiting: Backlog;
  /** How long the log has room without a line; null when nothing comes in. */
  readonly roomMs: number | null;
}

/** How the uplink beside a log is; undefined when none ever ran. */
export function uplinkReport(log: ExaminableLog, bounds: BoundsOptions, nowMs: number): UplinkReport | undefined {
  const { status, path } = uplinkWord(log.path);
  if (status === undefined) return undefined;
  const roomMs = roomOf(forecast(log, bounds));
  const waiting = backlogPast(log, log.cursor(CURSOR_BY_LANE.telemetry));
  return { path, ...outlookOf(status, roomMs, nowMs), status, waiting, roomMs };
}

function roomOf({ timeToFullMs, maxAgeMs }: Forecast): number | null {
  return timeToFullMs === null ? null : Math.min(timeToFullMs, maxAgeMs);
}
