import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { sampleOf } from "./events.ts";

const START_MS = 1_780_000_000_000;

/** A machine's events from `firstSeq` on, a second apart: telemetry of some signals, and every eleventh something else. */
export function machineStream(
  machineId: string,
  count: number,
  { firstSeq = 1, epoch = "0198a9c2-7f11-7000-8000-0123456789ab", signals = 3, startMs = START_MS } = {},
): StoredEvent[] {
  return Array.from({ length: count }, (_, i): StoredEvent => {
    const seq = firstSeq + i;
    const timeMs = startMs + i * 1000;
    const identity = { epoch, machineId, seq, offset: seq * 7, timeMs, entityId: `${epoch}/${machineId}/${seq}` };
    if (seq % 11 === 0)
      return { ...identity, type: "alarm", entityId: `entity-${seq}`, data: { alarmId: `a-${seq}`, state: "normal" } };
    const times = { sourceTimestampMs: timeMs - 3.5, serverTimestampMs: timeMs - 1, receivedTimestampMs: timeMs };
    const samples = Array.from({ length: signals }, (_, s) =>
      sampleOf(`signal ${s}`, s === 2 ? `step ${seq % 5}` : Math.round(Math.sin(seq / 9 + s) * 1000) / 10, times),
    );
    return { ...identity, type: "telemetry", data: { samples } };
  });
}
