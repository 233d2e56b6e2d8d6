import type { TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import { Random } from "../../../edge/simulator/physics/random.ts";
import { PollTimes, seedOf, type TelemetryEvent, type Tick } from "./tick.ts";

export interface SlowOptions {
  readonly seed: number;
  readonly startMs: number;
  readonly machines?: number;
  readonly signals?: number;
  readonly tickMs?: number;
}

interface Kind {
  readonly name: string;
  /** Of every hundred signals. */
  readonly share: number;
  make(random: Random): () => number | boolean | string;
}

/**
 * A quantity that wanders about a mean and is shown with so many steps per unit; all in the unit: `wander` is the step of
 * the walk in a second, `noise` the sensor's own standard deviation.
 */
function analog(low: number, high: number, stepsPerUnit: number, wander: number, noise: number): Kind["make"] {
  return (random) => {
    const mean = random.between(low, high);
    let value = mean;
    return () => {
      value += wander * random.normal() - (value - mean) * 0.001;
      return Math.round((value + noise * random.normal()) * stepsPerUnit) / stepsPerUnit;
    };
  };
}

/** Moves on by chance, on average once in `everyS` polls. */
function chance<T extends boolean | string>(values: readonly T[], everyS: number): Kind["make"] {
  return (random) => {
    let at = random.integerBetween(0, values.length - 1);
    return () => {
      if (random.next() < 1 / everyS) at = (at + 1) % values.length;
      return values[at] ?? false;
    };
  };
}

const KINDS: readonly Kind[] = [
  { name: "temperature", share: 25, make: analog(20, 80, 10, 0.01, 0.05) },
  { name: "oilTemperature", share: 15, make: analog(30, 60, 100, 0.003, 0.004) },
  { name: "pressure", share: 20, make: analog(4, 9, 100, 0.002, 0.004) },
  { name: "level", share: 15, make: analog(20, 95, 10, 0.006, 0.05) },
  { name: "flag", share: 7, make: chance([false, true], 600) },
  { name: "state", share: 4, make: chance(["running", "idle", "setup", "running", "fault"], 300) },
  {
    name: "count",
    share: 9,
    make: (random) => {
      const perSecond = random.between(0.05, 1);
      let exact = random.integerBetween(0, 1_000_000);
      return () => {
        exact += perSecond;
        return Math.floor(exact);
      };
    },
  },
  {
    name: "setpoint",
    share: 5,
    make: (random) => {
      const value = random.integerBetween(0, 2_000);
      return () => value;
    },
  },
];

function kindOf(index: number): Kind {
  let at = index % 100;
  for (const kind of KINDS) {
    if (at < kind.share) return kind;
    at -= kind.share;
  }
  throw new RangeError(`the shares of the kinds sum up to less than ${index % 100}`);
}

/**
 * Slowly changing signals at 1 Hz, by default 100 machines of 100: the kind of data for which the Gorilla paper gives
 * 1.37 B a point. There 51 % of the values equal the one before; here about 59 % do: states, flags, setpoints and counters
 * that seldom count hardly ever change, and the analog rest has 0.1 or 0.01 of resolution and noise of about half a step.
 * It is chosen to be easy: a claim for real machines belongs on `factory-data.ts`. Times are no easier than there: own
 * phase, jitter, and a source time (the server's equals it) once an event.
 */
export function* slowTicks(options: SlowOptions): Generator<Tick, never, undefined> {
  const { seed, startMs, machines = 100, signals = 100, tickMs = 250 } = options;
  const polled = Array.from({ length: machines }, (_, at) => {
    const machineId = `slow/line-${String(at + 1).padStart(3, "0")}`;
    const sensors = Array.from({ length: signals }, (_, index) => {
      const kind = kindOf(index);
      const random = new Random(seedOf(seed, `${machineId} ${index}`));
      return { signal: `${kind.name}${index + 1}`, next: kind.make(random) };
    });
    return { machineId, sensors, times: new PollTimes(machineId, seed, startMs) };
  });
  for (let nowMs = startMs + tickMs; ; nowMs += tickMs) {
    const events: TelemetryEvent[] = [];
    for (const { machineId, sensors, times } of polled) {
      while (times.nextMs < nowMs) {
        events.push(eventOf(machineId, times, sensors));
        times.advance();
      }
    }
    events.sort((a, b) => a.timeMs - b.timeMs);
    yield { nowMs, events };
  }
}

function eventOf(
  machineId: string,
  times: PollTimes,
  sensors: readonly { signal: string; next: () => number | boolean | string }[],
): TelemetryEvent {
  const timeMs = times.nextMs;
  const [ageMs = 0] = times.ages(2);
  // The source scans just before it is asked.
  const sourceMs = timeMs - 5 - ageMs;
  const samples = sensors.map(
    ({ signal, next }): TelemetrySample => ({
      signal,
      value: next(),
      statusCode: 0,
      sourceTimestampMs: sourceMs,
      serverTimestampMs: sourceMs,
      receivedTimestampMs: timeMs,
    }),
  );
  return { type: "telemetry", machineId, timeMs, data: { samples } };
}
