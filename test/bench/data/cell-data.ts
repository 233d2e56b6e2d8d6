import type { TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import { type FactoryOptions, factoryTicks } from "./factory-data.ts";
import type { TelemetryEvent, Tick } from "./tick.ts";

/** The simulated factory has 33 to 34 signals a machine. */
const MACHINES_PER_CELL = 3;

/**
 * Telemetry of cells of three simulated machines each, polled as one: 100 cells have 10,000 signals, which is the size and
 * the shape (a hundred machines, a hundred signals each) that the cost of the uplink is promised for.
 */
export function* cellTicks({ machines: cells, ...options }: FactoryOptions): Generator<Tick, void, undefined> {
  const places = new Map<string, { cellId: string; prefix: string }>();
  const placeOf = (machineId: string): { cellId: string; prefix: string } => {
    let place = places.get(machineId);
    if (place === undefined) {
      const cell = Math.floor(places.size / MACHINES_PER_CELL) + 1;
      const at = (places.size % MACHINES_PER_CELL) + 1;
      place = { cellId: `redmond/cell-${String(cell).padStart(3, "0")}`, prefix: `unit${at}.` };
      places.set(machineId, place);
    }
    return place;
  };
  for (const { nowMs, events } of factoryTicks({ ...options, machines: cells * MACHINES_PER_CELL })) {
    const samplesByCell = new Map<string, { timeMs: number; samples: TelemetrySample[] }>();
    for (const { machineId, timeMs, data } of events) {
      const { cellId, prefix } = placeOf(machineId);
      const cell = samplesByCell.get(cellId) ?? { timeMs, samples: [] };
      samplesByCell.set(cellId, cell);
      for (const sample of data.samples) cell.samples.push({ ...sample, signal: prefix + sample.signal });
      cell.timeMs = Math.max(cell.timeMs, timeMs);
    }
    const merged = [...samplesByCell].map(
      ([machineId, { timeMs, samples }]): TelemetryEvent => ({
        type: "telemetry",
        machineId,
        timeMs,
        data: { samples },
      }),
    );
    yield { nowMs, events: merged };
  }
}
