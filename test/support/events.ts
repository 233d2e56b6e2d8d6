import type { NewEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../cloud-sync/contract/sample.ts";

/** A sample with times that differ from each other, so that a swap shows. */
export function sampleOf(signal: string, value: SampleValue, rest: Partial<TelemetrySample> = {}): TelemetrySample {
  return {
    signal,
    value,
    statusCode: 0,
    sourceTimestampMs: 1_000.25,
    serverTimestampMs: 2_000,
    receivedTimestampMs: 3_000,
    ...rest,
  };
}

/** A telemetry event of one machine. */
export function telemetryOf(machineId: string, samples: readonly TelemetrySample[], timeMs = 3_000): NewEvent {
  return { type: "telemetry", machineId, timeMs, data: { samples } };
}

/** Telemetry that does not compress: so many events of a machine, half a second apart, with so many readings each. */
export function noiseOf(machineId: string, events: number, samples: number, startMs = 1_780_000_000_000): NewEvent[] {
  return Array.from({ length: events }, (_, i) => {
    const receivedTimestampMs = startMs + i * 500;
    const rest = { receivedTimestampMs, sourceTimestampMs: null, serverTimestampMs: null };
    const readings = Array.from({ length: samples }, (_, s) => sampleOf(`s${s}`, Math.random(), rest));
    return telemetryOf(machineId, readings, receivedTimestampMs);
  });
}
