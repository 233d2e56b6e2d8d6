import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { IntegerCode, MEAN_SHIFT_LAST, meanAfter } from "./integer-code.ts";
import { INTEGER_MAX, Predictor, SMOOTHED_MAX, SMOOTHINGS, type Smoothing } from "./predictor.ts";
import { type Coder, directNumber } from "./range-coder.ts";
import type { RangeEncoder } from "./range-encoder.ts";

/**
 * A column of integers: the first as it is; of the others first + step * m, where step is the largest that divides all
 * differences; m is predicted (predictor.ts; m of the first is 0 and not shown to the predictor), what is left over is coded
 * (integer-code.ts). Held values (a slow sensor that is polled often) are told by a model each, chosen by whether the four
 * before were held, and the predictor then sees the changes only.
 */
export interface IntegerPlan {
  readonly smoothing: number;
  readonly holds: boolean;
  readonly step: number;
}
const HOLD_HISTORY = 16;

/** @param integers encoding: read; decoding: filled */
export function codeIntegers(coder: Coder, integers: Float64Array, planned: IntegerPlan): void {
  if (integers.length === 0) return;
  const smoothingNumber = coder.direct(planned.smoothing, 4);
  const holds = coder.direct(planned.holds ? 1 : 0, 1) === 1;
  const isStepped = coder.direct(planned.step === 1 ? 0 : 1, 1) === 1;
  const step = isStepped ? directNumber(coder, planned.step) : 1;
  const first = codeFirst(coder, integers[0] as number);
  integers[0] = first;
  const smoothing = SMOOTHINGS[smoothingNumber];
  if (smoothing === undefined || step < 1) throw malformed(`smoothing ${smoothingNumber}, step ${step}`);
  codeRest(coder, integers, smoothing, holds, first, step);
}

/** Of codeRest, which calls nothing that codes integers. */
const integerCode = new IntegerCode();
const NO_BITS = new Int32Array(0);

function codeRest(
  coder: Coder,
  integers: Float64Array,
  smoothing: Smoothing,
  holds: boolean,
  first: number,
  step: number,
): void {
  const code = integerCode.reset();
  const predictor = new Predictor(smoothing);
  const holdBits = holds ? fairBits(HOLD_HISTORY) : NO_BITS;
  const decoding = coder.decoding;
  let previous = 0;
  let history = 0;
  for (let i = 1; i < integers.length; i++) {
    const wanted = decoding ? 0 : ((integers[i] as number) - first) / step;
    if (holds) {
      const held = coder.bit(holdBits, history, wanted === previous ? 1 : 0);
      history = ((history << 1) | held) & (HOLD_HISTORY - 1);
      if (held === 1) {
        integers[i] = first + step * previous;
        continue;
      }
    }
    const predicted = predictor.next();
    const mean16 = code.mean16;
    const m = predicted + code.code(coder, wanted - predicted);
    predictor.follow(m, predicted, mean16);
    previous = m;
    const integer = first + step * m;
    if (!(integer <= INTEGER_MAX && integer >= -INTEGER_MAX)) throw malformed(`the integer ${integer} is too large`);
    integers[i] = integer;
  }
}

function codeFirst(coder: Coder, value: number): number {
  const negative = coder.direct(value < 0 ? 1 : 0, 1);
  const magnitude = directNumber(coder, Math.abs(value));
  if (magnitude > INTEGER_MAX) throw malformed(`the integer ${magnitude} is too large`);
  return negative === 1 ? -magnitude : magnitude;
}

/** The plan that promises the fewest bits. @param scratch an encoder to try on */
export function planIntegers(integers: Float64Array, scratch: RangeEncoder): IntegerPlan {
  const { step, held, largest } = survey(integers);
  const steps = stepsOf(integers, step);
  const flowing: IntegerPlan = { smoothing: bestSmoothing(steps, largest), holds: false, step };
  if (held < 0.12 * integers.length) return flowing;
  const changes = changesOf(steps);
  const holding: IntegerPlan = { smoothing: bestSmoothing(changes, largest), holds: true, step };
  const ratio = (holdBits(held, integers.length) + bitsOf(changes, holding)) / bitsOf(steps, flowing);
  const isClear = ratio < 0.75 || ratio > 1.35;
  const isHolding = isClear
    ? ratio < 1
    : trialBytes(scratch, integers, holding) < trialBytes(scratch, integers, flowing);
  return isHolding ? holding : flowing;
}

/** About how many bits it takes to tell which values are held. */
function holdBits(held: number, count: number): number {
  const share = Math.min(0.999, held / count);
  return -count * (share * Math.log2(share) + (1 - share) * Math.log2(1 - share));
}

function bitsOf(steps: Float64Array, { smoothing }: IntegerPlan): number {
  return 1.2 * steps.length + costOf(steps, SMOOTHINGS[smoothing] as Smoothing);
}

function stepsOf(integers: Float64Array, step: number): Float64Array {
  const steps = new Float64Array(integers.length);
  const first = integers[0] as number;
  for (let i = 0; i < steps.length; i++) steps[i] = ((integers[i] as number) - first) / step;
  return steps;
}

function changesOf(steps: Float64Array): Float64Array {
  const changes = new Float64Array(steps.length);
  let count = 0;
  for (let i = 0; i < steps.length; i++)
    if (i === 0 || steps[i] !== steps[i - 1]) changes[count++] = steps[i] as number;
  return changes.subarray(0, count);
}

function trialBytes(scratch: RangeEncoder, integers: Float64Array, plan: IntegerPlan): number {
  scratch.reset();
  codeIntegers(scratch, integers, plan);
  return scratch.estimatedBytes;
}

function survey(integers: Float64Array): { step: number; held: number; largest: number } {
  let step = 0;
  let held = 0;
  let largest = 0;
  const first = integers[0] as number;
  let previous = first;
  for (let i = 1; i < integers.length; i++) {
    const integer = integers[i] as number;
    if (integer === previous) held++;
    else {
      previous = integer;
      const distance = Math.abs(integer - first);
      if (step !== 1) step = commonDivisor(distance, step);
      if (distance > largest) largest = distance;
    }
  }
  return { step: step || 1, held, largest };
}

function commonDivisor(a: number, b: number): number {
  let x = a;
  let y = b;
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

/** Neighbours of each first guess, tried when it is the best of these. */
const NEIGHBOURS: Readonly<Record<number, readonly number[]>> = {
  0: [2, 6, 12, 13],
  1: [6, 10, 7],
  3: [2, 4, 8, 15],
  5: [4, 9, 11],
};

function bestSmoothing(all: Float64Array, largest: number): number {
  if (largest > SMOOTHED_MAX || all.length < 4) return 0;
  // Of a long column a part from the middle speaks for the whole.
  const from = Math.max(0, (all.length - JUDGED_MAX) >> 1);
  const steps = all.subarray(from, from + JUDGED_MAX).map((step) => step - (all[from] as number));
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  const attempt = (smoothing: number): void => {
    const cost = smoothing < 2 ? costOfLine(steps, smoothing) : costOf(steps, SMOOTHINGS[smoothing] as Smoothing);
    if (cost < bestCost) {
      best = smoothing;
      bestCost = cost;
    }
  };
  for (const guess of [0, 1, 3, 5]) attempt(guess);
  for (const neighbour of NEIGHBOURS[best] ?? []) attempt(neighbour);
  return best;
}

const JUDGED_MAX = 192;
const LOG_SIZE = 1024;
const LOG = Float64Array.from({ length: LOG_SIZE }, (_, size) => Math.log2(1 + size));

/** The same as costOf, faster, for the two that need no arithmetic: the value before (0), a straight line (1). */
function costOfLine(steps: Float64Array, smoothing: number): number {
  let cost = 0;
  let before = 0;
  let trend = 0;
  for (let i = 1; i < steps.length; i++) {
    const m = steps[i] as number;
    const size = Math.abs(m - before - trend);
    cost += size < LOG_SIZE ? (LOG[size] as number) : Math.log2(size);
    if (smoothing === 1) trend = m - before;
    before = m;
  }
  return cost;
}

/** About how many bits the residuals take. */
function costOf(steps: Float64Array, smoothing: Smoothing): number {
  const predictor = new Predictor(smoothing);
  let cost = 0;
  let mean16 = 16;
  for (let i = 1; i < steps.length; i++) {
    const m = steps[i] as number;
    const predicted = predictor.next();
    const size = Math.abs(m - predicted);
    cost += size < LOG_SIZE ? (LOG[size] as number) : Math.log2(size);
    predictor.follow(m, predicted, mean16);
    mean16 = meanAfter(mean16, size, MEAN_SHIFT_LAST);
  }
  return cost;
}
