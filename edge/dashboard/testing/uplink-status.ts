import type { LaneStatus, UplinkStatus } from "../../../cloud-sync/uplink/ports.ts";

const LANE: LaneStatus = {
  offset: 0,
  backlogEvents: 0,
  lagMs: 0,
  eventsPerSecond: 0.5,
  bytesPerSecond: 128,
  drainMs: null,
  total: { events: 40, messages: 20, units: 21, bytes: 30_000 },
};

/** The word of an uplink that is well, at a time; what a test is about is put over it. */
export function uplinkStatus(nowMs: number, change: Partial<UplinkStatus> = {}): UplinkStatus {
  return {
    updatedMs: nowMs,
    state: "connected",
    sinceMs: nowMs - 3_600_000,
    hub: "hub.azure-devices.net as device box-7 (SAS)",
    lastError: null,
    lastAckMs: nowMs - 700,
    lanes: {
      priority: LANE,
      telemetry: { ...LANE, backlogEvents: 12, lagMs: 4_200, eventsPerSecond: 13, bytesPerSecond: 1_430 },
    },
    inFlight: 1,
    bytesPerSecondMax: null,
    gatherMs: 5_000,
    today: { messages: 1_248, units: 1_390, bytes: 4_300_000, unitsMax: 400_000 },
    recent: null,
    deadLetters: 0,
    ...change,
  };
}

/** The same with its line cut. */
export function cutStatus(nowMs: number, sinceMs: number): UplinkStatus {
  const well = uplinkStatus(nowMs);
  const waits = { backlogEvents: 70, lagMs: nowMs - sinceMs, eventsPerSecond: 0, bytesPerSecond: 0 };
  return {
    ...well,
    state: "waiting",
    sinceMs,
    lastAckMs: sinceMs - 1_000,
    inFlight: 0,
    lanes: { priority: { ...well.lanes.priority, ...waits }, telemetry: { ...well.lanes.telemetry, ...waits } },
    lastError: {
      code: "UPLINK_UNREACHABLE",
      message: "hub.azure-devices.net:8883 refuses connections",
      hint: "Check the network cable or the modem.",
      atMs: nowMs - 2_000,
    },
  };
}
