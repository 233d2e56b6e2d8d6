import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { IntegerCode } from "./integer-code.ts";
import type { Coder } from "./range-coder.ts";
import { RangeEncoder } from "./range-encoder.ts";

/**
 * The order of the samples within an event. Which signals it has, and how often, is known. Usual is the order of the directory, in
 * rounds when signals are there more than once. For an event that is otherwise, sample by sample: is it the same signal again
 * (when it has samples left)? If not, how many of those that have samples left are passed over, going on in a circle?
 */
export class OrderCode {
  readonly #usualBit = fairBits(1);
  readonly #againBits = fairBits(2);
  readonly #skips = new IntegerCode();

  /**
   * @param signals of the event, ascending, one entry a sample
   * @param order encoding: the signals in their order; decoding: filled
   */
  code(coder: Coder, signals: Uint32Array, order: Uint32Array): void {
    const usual = inRounds(signals);
    const isUsual = coder.bit(this.#usualBit, 0, usual.every((signal, i) => signal === order[i]) ? 0 : 1) === 0;
    if (isUsual) order.set(usual);
    else this.#codeUnusual(coder, signals, order);
  }

  #codeUnusual(coder: Coder, signals: Uint32Array, order: Uint32Array): void {
    const distinct = signals.filter((signal, i) => signal !== signals[i - 1]);
    const counts = new Uint32Array(distinct.length);
    const placeOf = new Map(Array.from(distinct, (signal, place) => [signal, place]));
    for (const signal of signals) {
      const own = placeOf.get(signal) as number;
      counts[own] = (counts[own] as number) + 1;
    }
    const left = new Remaining(distinct.length);
    let place = -1;
    let wasAgain = 0;
    for (let i = 0; i < order.length; i++) {
      const wanted = placeOf.get(order[i] as number) ?? 0;
      const mayRepeat = place >= 0 && (counts[place] as number) > 0 && left.size > 1;
      if (mayRepeat) wasAgain = coder.bit(this.#againBits, wasAgain, wanted === place ? 1 : 0);
      if (!mayRepeat || wasAgain === 0) place = this.#codeSkip(coder, left, place, wanted);
      const rest = (counts[place] as number) - 1;
      counts[place] = rest;
      if (rest === 0) left.remove(place);
      order[i] = distinct[place] as number;
    }
  }

  #codeSkip(coder: Coder, left: Remaining, place: number, wanted: number): number {
    if (left.size === 1) return left.find(0);
    const from = left.rank(place + 1);
    const skipped = this.#skips.code(coder, (left.rank(wanted) - from + left.size) % left.size);
    if (skipped < 0 || skipped >= left.size) throw malformed(`${skipped} of ${left.size} signals are passed over`);
    return left.find((from + skipped) % left.size);
  }
}

/** The section of the order: nothing when every event has its samples in the usual one. */
export function encodeOrder(signals: Uint32Array, firstSample: Uint32Array): Buffer {
  const events = firstSample.length - 1;
  const orderOf = (t: number): Uint32Array => signals.subarray(firstSample[t], firstSample[t + 1]);
  let isUsual = true;
  for (let t = 0; t < events && isUsual; t++) isUsual = isAscending(orderOf(t)) || isInRounds(orderOf(t));
  if (isUsual) return Buffer.alloc(0);
  const coder = new RangeEncoder();
  const code = new OrderCode();
  for (let t = 0; t < events; t++) {
    const order = orderOf(t).slice();
    code.code(coder, order.slice().sort(), order);
  }
  return coder.finish();
}

function isAscending(order: Uint32Array): boolean {
  for (let i = 1; i < order.length; i++) if ((order[i] as number) <= (order[i - 1] as number)) return false;
  return true;
}

function isInRounds(order: Uint32Array): boolean {
  const usual = inRounds(order.slice().sort());
  return usual.every((signal, i) => signal === order[i]);
}

/** 1 1 2 3 3 3 becomes 1 2 3 1 3 3. */
export function inRounds(signals: Uint32Array): Uint32Array {
  let isOnce = true;
  for (let i = 1; i < signals.length && isOnce; i++) isOnce = signals[i] !== signals[i - 1];
  if (isOnce) return signals;
  let round = 0;
  const keyed = Array.from(signals, (signal, i) => {
    round = signal === signals[i - 1] ? round + 1 : 0;
    return { round, signal };
  });
  keyed.sort((a, b) => a.round - b.round || a.signal - b.signal);
  return Uint32Array.from(keyed, ({ signal }) => signal);
}

/** Places 0..size-1 that are still there, in a Fenwick tree: rank and n-th in log time, so that no order is slow to read. */
class Remaining {
  readonly #tree: Int32Array;
  size: number;

  constructor(size: number) {
    this.size = size;
    this.#tree = Int32Array.from({ length: size + 1 }, (_, i) => i & -i);
  }

  remove(place: number): void {
    for (let i = place + 1; i < this.#tree.length; i += i & -i) this.#tree[i] = (this.#tree[i] as number) - 1;
    this.size--;
  }

  /** How many are left before this place. */
  rank(place: number): number {
    let sum = 0;
    for (let i = place; i > 0; i -= i & -i) sum += this.#tree[i] as number;
    return sum;
  }

  /** The place of the n-th that is left, from 0. */
  find(n: number): number {
    let place = 0;
    let left = n;
    for (let step = 2 ** Math.floor(Math.log2(this.#tree.length)); step >= 1; step /= 2) {
      const next = place + step;
      if (next < this.#tree.length && (this.#tree[next] as number) <= left) {
        place = next;
        left -= this.#tree[next] as number;
      }
    }
    return place;
  }
}
