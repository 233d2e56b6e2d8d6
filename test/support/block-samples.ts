import type { NewEvent, StoredEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { Plant } from "../../edge/simulator/plant.ts";

/** What blocks are measured and tested with: streams as the collectors make them, the same for the same seed. */
const EPOCH = "0198a9c2-7f11-7000-8000-0123456789ab";
const START_MS = 1_780_000_000_000;

/** A small generator of uniform numbers in [0, 1) (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

export function stored(
  machineId: string,
  seq: number,
  event: Omit<NewEvent, "machineId">,
  offset = seq * 13,
): StoredEvent {
  return { entityId: `${EPOCH}/${machineId}/${seq}`, ...event, machineId, epoch: EPOCH, seq, offset } as StoredEvent;
}

/** The simulated factory polled once a second: every signal in each event, server time as source, received a few ms later. */
export function polledFactory(seconds: number, options: { seed?: number; warmupS?: number } = {}): StoredEvent[][] {
  const { seed = 7, warmupS = 0 } = options;
  const plant = new Plant({ seed, startMs: START_MS });
  const next = uniform(seed);
  for (let s = 0; s < warmupS; s++) plant.step(1_000, START_MS + s * 1_000);
  const streams: StoredEvent[][] = plant.machines.map(() => []);
  for (let s = 0; s < seconds; s++) {
    const tickMs = START_MS + (warmupS + s) * 1_000;
    plant.step(1_000, tickMs);
    plant.machines.forEach(({ id, signals }, m) => {
      const receivedMs = tickMs + 2 + Math.floor(next() * 5);
      const samples = signals.map(
        ({ description, value, statusCode }): TelemetrySample => ({
          signal: description.name,
          value,
          statusCode,
          sourceTimestampMs: tickMs,
          serverTimestampMs: tickMs,
          receivedTimestampMs: receivedMs,
        }),
      );
      const timeMs = receivedMs + Math.floor(next() * 3);
      streams[m]?.push(stored(`redmond/${id}`, s + 1, { type: "telemetry", timeMs, data: { samples } }));
    });
  }
  return streams;
}

/**
 * The simulated factory as OPC UA subscriptions bring it: only what changed, looked at four times a second by the server's clock,
 * once a second in one notification; now and then the server's time differs.
 */
export function subscribedFactory(seconds: number, seed = 11): StoredEvent[][] {
  const plant = new Plant({ seed, startMs: START_MS });
  const next = uniform(seed);
  const streams: StoredEvent[][] = plant.machines.map(() => []);
  const versions = new Map<string, number>();
  for (let s = 0; s < seconds; s++) {
    const changed = plant.machines.map(() => new Map<string, TelemetrySample>());
    const receivedMs = START_MS + s * 1_000 + 970 + Math.floor(next() * 5);
    for (let quarter = 0; quarter < 4; quarter++) {
      const tickMs = START_MS + s * 1_000 + quarter * 250 + (next() < 0.2 ? 1 : 0);
      plant.step(250, tickMs);
      plant.machines.forEach(({ id, signals }, m) => {
        for (const { description, value, statusCode, version } of signals) {
          const key = `${id} ${description.name}`;
          if (versions.get(key) === version) continue;
          versions.set(key, version);
          changed[m]?.set(description.name, {
            signal: description.name,
            value,
            statusCode,
            sourceTimestampMs: tickMs,
            serverTimestampMs: next() < 0.01 ? tickMs + 360.04345703125 : tickMs,
            receivedTimestampMs: receivedMs,
          });
        }
      });
    }
    plant.machines.forEach(({ id, signals }, m) => {
      const samples = signals.flatMap(({ description }) => changed[m]?.get(description.name) ?? []);
      const timeMs = receivedMs + (next() < 0.05 ? 1 : 0);
      streams[m]?.push(stored(`redmond/${id}`, s + 1, { type: "telemetry", timeMs, data: { samples } }));
    });
  }
  return streams;
}

/** So many temperatures and pressures that move slowly, with little noise, read once a second. */
export function slowSignals(events: number, signals: number, seed = 3): StoredEvent[] {
  const next = uniform(seed);
  const states = Array.from({ length: signals }, (_, i) => ({
    name: i % 2 === 0 ? `zone${i}.temperature` : `line${i}.pressure`,
    steps: i % 2 === 0 ? 10 : 100,
    level: 20 + next() * 60,
    drift: (next() - 0.5) * 0.01,
    noise: (i % 2 === 0 ? 0.03 : 0.005) * next(),
  }));
  return Array.from({ length: events }, (_, e) => {
    const tickMs = START_MS + e * 1_000;
    const receivedMs = tickMs + 2 + Math.floor(next() * 5);
    const samples = states.map((state): TelemetrySample => {
      state.drift += (next() - 0.5) * 0.0005;
      state.level += state.drift;
      const value = Math.round((state.level + state.noise * normal(next)) * state.steps) / state.steps;
      return {
        signal: state.name,
        value,
        statusCode: 0,
        sourceTimestampMs: tickMs,
        serverTimestampMs: tickMs,
        receivedTimestampMs: receivedMs,
      };
    });
    return stored("redmond/oven-01", e + 1, { type: "telemetry", timeMs: receivedMs, data: { samples } });
  });
}
