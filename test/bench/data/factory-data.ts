import type { TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { Random } from "../../../edge/simulator/physics/random.ts";
import { Plant } from "../../../edge/simulator/plant.ts";
import type { PlantMachine } from "../../../edge/simulator/plant-machine.ts";
import type { PlantSignal } from "../../../edge/simulator/plant-signal.ts";
import { PollTimes, seedOf, type TelemetryEvent, type Tick } from "./tick.ts";

export interface FactoryOptions {
  /** One plant has 13 machines with 430 signals; the last plant is cut off where the number is reached. */
  readonly machines: number;
  readonly seed: number;
  readonly startMs: number;
  /** The recorder's, default 250 ms. */
  readonly tickMs?: number;
  /** Only signals that changed since the last poll are in an event, as a subscription delivers. */
  readonly onChange?: boolean;
  /**
   * Of OPC UA machines. "tick": source and server time are both the source's tick, as of servers that stamp every scan and
   * as a subscription delivers. "last-change": the source time is when the value last changed and the server time when it
   * was read, to 100 ns: what the simulated factory's own server answers to reads, and dearer to store. Default "tick".
   */
  readonly stamps?: "tick" | "last-change";
}

/** A server that allows so many nodes a read: a machine's signals come in two answers. */
const NODES_PER_READ_MAX = 32;

interface Polled {
  readonly machine: PlantMachine;
  readonly machineId: string;
  readonly times: PollTimes;
  /** Signals in the order in which they arrive, by read. */
  readonly batches: readonly (readonly PlantSignal[])[];
  /** What each signal last delivered; filled only where changes count. */
  readonly delivered: Map<PlantSignal, SampleValue>;
}

/**
 * Telemetry of the simulated factory, every signal once a second, as the recorder delivers it: a tick holds the events of
 * the machines whose poll fell into it. Without end, and the same for the same options. Nothing is wrong in this factory:
 * no faults are injected, so that all statuses are Good unless physics says otherwise.
 *
 * The physics runs live (about a million readings a second on one core), so that no value is ever a repetition;
 * what needs more takes `bulk.ts`.
 */
export function* factoryTicks(options: FactoryOptions): Generator<Tick, never, undefined> {
  const { startMs, tickMs = 250 } = options;
  const plants = plantsOf(options, tickMs);
  for (let fromMs = startMs; ; fromMs += tickMs) {
    const nowMs = fromMs + tickMs;
    const events: TelemetryEvent[] = [];
    for (const { plant, phaseMs, random, polled } of plants) {
      const sourceMs = fromMs - phaseMs + random.integerBetween(0, 1);
      plant.step(tickMs, sourceMs);
      for (const each of polled) {
        while (each.times.nextMs < nowMs) {
          const event = poll(each, sourceMs, options);
          if (event !== null) events.push(event);
          each.times.advance();
        }
      }
    }
    // The recorder holds the machines in the order in which their first samples came.
    events.sort((a, b) => a.timeMs - b.timeMs);
    yield { nowMs, events };
  }
}

function plantsOf({ machines, seed, startMs }: FactoryOptions, tickMs: number) {
  const plants: { plant: Plant; phaseMs: number; random: Random; polled: Polled[] }[] = [];
  for (let left = machines; left > 0; ) {
    const site = plants.length === 0 ? "redmond" : `redmond-${plants.length + 1}`;
    const plant = new Plant({ seed: seedOf(seed, site), site, startMs });
    const polled = plant.machines.slice(0, left).map((machine): Polled => {
      const machineId = `${site}/${machine.id}`;
      const times = new PollTimes(machineId, seed, startMs);
      return { machine, machineId, times, batches: batchesOf(machine), delivered: new Map() };
    });
    const random = new Random(seedOf(seed, `${site} ticks`));
    // The source's ticks are not the recorder's: each plant's fall elsewhere between two of ours.
    plants.push({ plant, phaseMs: random.integerBetween(1, tickMs - 1), random, polled });
    left -= polled.length;
  }
  return plants;
}

/** As the drivers read: OPC UA by so many nodes, Modbus by table and address. */
function batchesOf({ unitId, signals }: PlantMachine): PlantSignal[][] {
  if (unitId === null) {
    return Array.from({ length: Math.ceil(signals.length / NODES_PER_READ_MAX) }, (_, at) =>
      signals.slice(at * NODES_PER_READ_MAX, (at + 1) * NODES_PER_READ_MAX),
    );
  }
  const placeOf = ({ description }: PlantSignal): number => description.register?.address ?? 0;
  return ["coil", "discrete", "holding", "input"]
    .map((table) =>
      signals
        .filter(({ description }) => description.register?.table === table)
        .sort((a, b) => placeOf(a) - placeOf(b)),
    )
    .filter((batch) => batch.length > 0);
}

function poll(polled: Polled, sourceMs: number, options: FactoryOptions): TelemetryEvent | null {
  const { machine, machineId, times, batches, delivered } = polled;
  const isOpcua = machine.unitId === null;
  const byChange = options.stamps === "last-change";
  const timeMs = times.nextMs;
  const ages = times.ages(batches.length);
  const samples: TelemetrySample[] = [];
  for (const [at, batch] of batches.entries()) {
    const receivedTimestampMs = timeMs - (ages[at] ?? 0);
    const readMs = isOpcua && byChange ? receivedTimestampMs - 4 + times.fraction() : sourceMs;
    for (const signal of batch) {
      // A lost sensor has no value; what it last showed is no measurement.
      const value = signal.statusCode === 0 ? signal.value : null;
      if (options.onChange === true) {
        if (delivered.get(signal) === value) continue;
        delivered.set(signal, value);
      }
      samples.push({
        signal: signal.description.name,
        value,
        statusCode: signal.statusCode,
        sourceTimestampMs: isOpcua ? (byChange ? signal.changedMs : sourceMs) : null,
        serverTimestampMs: isOpcua ? readMs : null,
        receivedTimestampMs,
      });
    }
  }
  return samples.length === 0 ? null : { type: "telemetry", machineId, timeMs, data: { samples } };
}
