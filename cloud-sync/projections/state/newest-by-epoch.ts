/** A fact of one epoch: what its newest event said. */
export interface EpochFact<T> {
  readonly seq: number;
  /** Of that event, UTC epoch ms. */
  readonly atMs: number;
  /** The latest that any event of the epoch was, so that epochs can be told apart by age whatever came in which order. */
  readonly keyMs: number;
  readonly value: T;
}

/** A machine's log is made anew a few times in its life; of more the oldest are forgotten. */
const EPOCHS_MAX = 8;

/** The newest by seq within an epoch, between epochs by time; the same whatever the order in which events come. */
export class NewestByEpoch<T> {
  readonly #facts: Map<string, EpochFact<T>>;

  constructor(facts: Readonly<Record<string, EpochFact<T>>> = {}) {
    this.#facts = new Map(Object.entries(facts));
  }

  /**
   * @param atMs the event's time
   * @param keyMs no later than the hub's time of the message, so that a clock that runs ahead wins for no longer than it runs
   */
  add(epoch: string, seq: number, atMs: number, keyMs: number, value: T): void {
    const known = this.#facts.get(epoch);
    const isNewer = known === undefined || seq > known.seq;
    const own = isNewer ? { seq, atMs, value } : { seq: known.seq, atMs: known.atMs, value: known.value };
    this.#facts.set(epoch, { ...own, keyMs: Math.max(keyMs, known?.keyMs ?? keyMs) });
    if (this.#facts.size > EPOCHS_MAX) {
      const oldest = this.#ordered()[0]?.[0];
      if (oldest !== undefined) this.#facts.delete(oldest);
    }
  }

  newest(): (EpochFact<T> & { readonly epoch: string }) | undefined {
    const last = this.#ordered().at(-1);
    return last === undefined ? undefined : { epoch: last[0], ...last[1] };
  }

  /** Forgets what was said from this instant on. */
  forgetFrom(ms: number): void {
    for (const [epoch, { atMs }] of this.#facts) if (atMs >= ms) this.#facts.delete(epoch);
  }

  toJSON(): Record<string, EpochFact<T>> {
    return Object.fromEntries(this.#facts);
  }

  #ordered(): [string, EpochFact<T>][] {
    return [...this.#facts].sort(([a, { keyMs: x }], [b, { keyMs: y }]) => x - y || (a < b ? -1 : 1));
  }
}
