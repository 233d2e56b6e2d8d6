/** One minute of one signal: of its numbers with a status that is not Bad. Minutes are received time / 60,000. */
export interface MinuteAggregate {
  readonly minute: number;
  readonly count: number;
  readonly min: number;
  readonly max: number;
  /** Arithmetic mean, to a 65,535th of the range between min and max. */
  readonly mean: number;
}

export const MINUTE_MS = 60_000;

/** A signal's aggregates, of one roll-up or several: each minute once, ascending. */
export function joinMinutes(aggregates: Iterable<MinuteAggregate>): MinuteAggregate[] {
  const byMinute = new Map<number, MinuteAggregate>();
  for (const aggregate of aggregates) {
    const known = byMinute.get(aggregate.minute);
    byMinute.set(aggregate.minute, known === undefined ? aggregate : joined(known, aggregate));
  }
  return [...byMinute.values()].sort((a, b) => a.minute - b.minute);
}

function joined(a: MinuteAggregate, b: MinuteAggregate): MinuteAggregate {
  const count = a.count + b.count;
  const min = Math.min(a.min, b.min);
  const max = Math.max(a.max, b.max);
  const mean = a.mean * (a.count / count) + b.mean * (b.count / count);
  return { minute: a.minute, count, min, max, mean: Math.min(max, Math.max(min, mean)) };
}
