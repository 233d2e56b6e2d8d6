import type { SignalSet } from "../state/signal-sets.ts";

/** What is known of a machine from one epoch. Arrays have an element for each signal of `set`, perhaps more behind. */
export class EpochState {
  readonly epoch: string;
  factoryId = "";
  deviceId = "";
  typeName: string | null = null;
  seq = -1;
  eventMs = 0;
  enqueuedMs = 0;
  /** When the newest event was, as far as the hub's clock lets it be. */
  keyMs = Number.NEGATIVE_INFINITY;
  state: string | null = null;
  stateMs = 0;
  stateSeq = -1;
  /** JSON. */
  info: string | null = null;
  infoMs = 0;
  infoSeq = -1;
  removed = false;
  set: SignalSet;
  numbers: Float64Array;
  /** JSON of values that are no numbers. */
  texts: (string | null)[] = [];
  statusCodes: Float64Array;
  sourceMs: Float64Array;
  receivedMs: Float64Array;
  /** -1 where the signal has had no sample. */
  seqs: Float64Array;

  constructor(epoch: string, set: SignalSet) {
    this.epoch = epoch;
    this.set = set;
    const size = set.names.length;
    this.numbers = new Float64Array(size).fill(Number.NaN);
    this.statusCodes = new Float64Array(size);
    this.sourceMs = new Float64Array(size).fill(Number.NaN);
    this.receivedMs = new Float64Array(size).fill(Number.NaN);
    this.seqs = new Float64Array(size).fill(-1);
  }

  /** Follows a newer set: it begins with the names of the one before. */
  follow(set: SignalSet): void {
    const [before, size] = [this.seqs.length, set.names.length];
    if (set.setNo < this.set.setNo) return;
    this.set = set;
    if (size <= before) return;
    const grown = (array: Float64Array, value: number): Float64Array => {
      const larger = new Float64Array(size).fill(value, before);
      larger.set(array);
      return larger;
    };
    this.numbers = grown(this.numbers, Number.NaN);
    this.statusCodes = grown(this.statusCodes, 0);
    this.sourceMs = grown(this.sourceMs, Number.NaN);
    this.receivedMs = grown(this.receivedMs, Number.NaN);
    this.seqs = grown(this.seqs, -1);
  }

  /** An event as such. */
  sawEvent(seq: number, eventMs: number, { factoryId, deviceId, enqueuedMs }: Origin): void {
    if (seq < this.seq) return;
    this.keyMs = Math.min(eventMs, enqueuedMs);
    this.seq = seq;
    this.eventMs = eventMs;
    this.factoryId = factoryId;
    this.deviceId = deviceId;
    this.enqueuedMs = enqueuedMs;
  }

  sawState(seq: number, atMs: number, state: string): void {
    if (seq < this.stateSeq) return;
    this.state = state;
    this.stateMs = atMs;
    this.stateSeq = seq;
  }

  /** @param config of the machine's own stream; null when it is no longer in the configuration */
  sawConfig(seq: number, atMs: number, config: { typeName: unknown; infoJson: string } | null): void {
    if (seq < this.infoSeq) return;
    this.infoSeq = seq;
    this.infoMs = atMs;
    this.removed = config === null;
    this.info = config === null ? null : config.infoJson;
    this.typeName = typeof config?.typeName === "string" ? config.typeName : null;
  }

  /** Forgets what is said of times from this instant on. @returns whether anything is left */
  forgetFrom(ms: number): boolean {
    let isAny = false;
    for (let i = 0; i < this.seqs.length; i++) {
      if ((this.seqs[i] as number) < 0) continue;
      if ((this.receivedMs[i] as number) < ms) isAny = true;
      else {
        this.seqs[i] = -1;
        this.numbers[i] = Number.NaN;
        this.texts[i] = null;
      }
    }
    if (this.stateSeq >= 0 && this.stateMs >= ms) [this.state, this.stateSeq] = [null, -1];
    if (this.infoSeq >= 0 && this.infoMs >= ms)
      [this.info, this.typeName, this.removed, this.infoSeq] = [null, null, false, -1];
    isAny ||= this.stateSeq >= 0 || this.infoSeq >= 0;
    if (this.eventMs >= ms) this.seq = Math.max(this.stateSeq, this.infoSeq, ...this.seqs);
    this.keyMs = Math.min(this.keyMs, ms);
    return isAny;
  }
}

export interface Origin {
  readonly factoryId: string;
  readonly deviceId: string;
  readonly enqueuedMs: number;
}
