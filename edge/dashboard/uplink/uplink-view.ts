import { outlookOf } from "../../../cloud-sync/uplink/condition.ts";
import type { LaneStatus, UplinkStatus } from "../../../cloud-sync/uplink/ports.ts";
import type { Gauged } from "../../log/log-gauge.ts";
import type { UplinkView } from "../schemas/uplink.ts";

/** The uplink's word and the log's room in the words of the API. */
export function uplinkViewOf(status: UplinkStatus, { forecast, waiting }: Gauged, nowMs: number): UplinkView {
  const timeToFullMs = forecast.timeToFullMs === null ? null : Math.min(forecast.timeToFullMs, forecast.maxAgeMs);
  const { condition, level } = outlookOf(status, timeToFullMs, nowMs);
  return {
    condition,
    level,
    updatedMs: status.updatedMs,
    sinceMs: condition === "silent" ? status.updatedMs : status.sinceMs,
    hub: status.hub,
    lastError: status.lastError && { ...status.lastError },
    lastAckMs: status.lastAckMs,
    lanes: { priority: laneOf(status.lanes.priority), telemetry: laneOf(status.lanes.telemetry) },
    inFlight: status.inFlight,
    bytesPerSecondMax: status.bytesPerSecondMax,
    gatherMs: status.gatherMs,
    today: { ...status.today },
    deadLetters: status.deadLetters,
    waiting: { ...waiting },
    room: {
      usedBytes: forecast.usedBytes,
      limitBytes: forecast.limitBytes,
      readingsPerSecond: forecast.readingsPerS,
      timeToFullMs,
    },
  };
}

function laneOf({ backlogEvents, lagMs, eventsPerSecond, bytesPerSecond, drainMs, total }: LaneStatus) {
  const known = { backlogEvents, lagMs, eventsPerSecond, bytesPerSecond, drainMs };
  return total === undefined ? known : { ...known, total: { ...total } };
}
