import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";

/**
 * A chain is a run of chunks by one writer, each of which says only what differs from the chunks before it. Writer and
 * reader keep the same state for it, machine by machine, and begin it from nothing at the chain's first chunk.
 *
 * Sample: a control byte, then what it announces.
 *   bit 0      the signal is not the one that followed the previous signal last time: varint index, new ones with name
 *   bits 1–3   the value (Value below)
 *   bit 4      a status other than the signal's last one: u32
 *   bits 5–7   the times: 0 as in the sample before, 1 new ones, 2–7 as the first to sixth set of this event
 * A set of times: flags u8 (source, server and received, two bits each: 0 none (received: the event's time), 1 zigzag
 * distance to the event's time in ms, 2 float64, 3 as the source), then what they announce.
 */
export const Value = {
  Same: 0,
  /** Distance to the last k in the signal's mode, zigzag. */
  Delta: 1,
  /** Mode u8, k zigzag. */
  Mode: 2,
  Float64: 3,
  /** Kind u8 (kinds of values.ts) and the value. */
  Other: 4,
  Float32: 5,
  /** Distance to the signal's last bigint, zigzag. */
  BigDelta: 6,
  /** The other boolean. */
  Toggle: 7,
} as const;

export const NEW_SIGNAL = 0x01;
export const NEW_STATUS = 0x10;
export const TIMES_SETS_MAX = 6;

/** What both sides know of a signal. */
export class SignalState {
  readonly name: string;
  /** undefined before the first value, so that nothing is the same as it. */
  value: SampleValue | undefined = undefined;
  mode = -1;
  k = 0;
  statusCode = 0;
  /** Index of the signal that followed it last; -1 when none did. */
  next = -1;

  constructor(name: string) {
    this.name = name;
  }
}

/** What both sides know of a machine. */
export class MachineState<S extends SignalState = SignalState> {
  readonly machineId: string;
  readonly signals: S[] = [];
  lastSeq = 0;
  lastTimeMs = 0;
  /** Signal that began the last event. */
  first = -1;
  /** Times of the event's sets, relative to nothing: source, server, received of each. NaN for none. */
  readonly sourceMs = new Float64Array(TIMES_SETS_MAX);
  readonly serverMs = new Float64Array(TIMES_SETS_MAX);
  readonly receivedMs = new Float64Array(TIMES_SETS_MAX);
  sets = 0;
  lastSet = -1;

  constructor(machineId: string) {
    this.machineId = machineId;
  }

  beginEvent(): void {
    this.sets = 0;
    this.lastSet = -1;
  }

  /** Remembers a set of times; beyond the bound the last one is replaced. */
  takeSet(sourceMs: number, serverMs: number, receivedMs: number): void {
    const set = this.sets < TIMES_SETS_MAX ? this.sets++ : TIMES_SETS_MAX - 1;
    this.sourceMs[set] = sourceMs;
    this.serverMs[set] = serverMs;
    this.receivedMs[set] = receivedMs;
    this.lastSet = set;
  }
}
