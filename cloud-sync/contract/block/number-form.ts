import { malformed } from "./block-error.ts";
import { INTEGER_MAX } from "./predictor.ts";

/**
 * How a column of numbers becomes a column of integers k and comes back with the same bits. Numbers of machines are seldom
 * arbitrary: a sensor has a resolution, a register a scale.
 */
export const FORMS = [
  "decimal", // k / 10^scale
  "decimal32", // the float32 nearest to k / 10^scale
  "product", // k * factor
  "float32", // k is the float32's bits, in the order of the numbers
  "bigint", // k itself, as a bigint
] as const;
export type Form = (typeof FORMS)[number];

export interface NumberForm {
  readonly form: Form;
  /** Decimal places, 0..SCALE_MAX; decimal and decimal32 only, else 0. */
  readonly scale: number;
  /** product only, else 1. */
  readonly factor: number;
}

export const SCALE_MAX = 9;
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const;
/** A float32 has no more than this; beyond it every float32 would be a decimal. */
const DECIMAL32_MAX = 2 ** 24;

const bits = new DataView(new ArrayBuffer(8));

/** The integer of this number in this form; NaN when the form does not give the number back. -0 has none but in float32. */
export function integerOf(value: number, { form, scale, factor }: NumberForm): number {
  switch (form) {
    case "decimal": {
      const power = POWERS[scale] as number;
      const k = Math.round(value * power);
      return k / power === value && k <= INTEGER_MAX && k >= -INTEGER_MAX && !Object.is(value, -0) ? k + 0 : Number.NaN;
    }
    case "decimal32": {
      const power = POWERS[scale] as number;
      const k = Math.round(value * power);
      return Math.fround(k / power) === value && k < DECIMAL32_MAX && k > -DECIMAL32_MAX && !Object.is(value, -0)
        ? k + 0
        : Number.NaN;
    }
    case "product": {
      const k = Math.round(value / factor);
      return k * factor === value && k <= INTEGER_MAX && k >= -INTEGER_MAX && !Object.is(value, -0)
        ? k + 0
        : Number.NaN;
    }
    case "float32": {
      if (Math.fround(value) !== value) return Number.NaN;
      bits.setFloat32(0, value);
      const raw = bits.getInt32(0);
      return raw < 0 ? -(raw & 0x7fff_ffff) - 1 : raw;
    }
    case "bigint":
      return value;
  }
}

/** The other way round; gives a number also for "bigint". @throws BlockError malformed on an integer that the form cannot have */
export function numberOf(k: number, { form, scale, factor }: NumberForm): number {
  switch (form) {
    case "decimal":
      return k / (POWERS[scale] as number);
    case "decimal32":
      return Math.fround(k / (POWERS[scale] as number));
    case "product":
      return k * factor;
    case "float32":
      if (k > 0x7f80_0000 || k < -0x7f80_0001) throw malformed(`${k} is no float32`);
      bits.setInt32(0, k < 0 ? -(k + 1) | 0x8000_0000 : k);
      return bits.getFloat32(0);
    case "bigint":
      return k;
  }
}

/** Of how many places a number is: 0..SCALE_MAX, or SCALE_MAX + 1 when of none of them. */
function placesOf(value: number, isFloat32: boolean): number {
  for (let scale = 0; scale <= SCALE_MAX; scale++) {
    const power = POWERS[scale] as number;
    const k = Math.round(value * power);
    if (isFloat32) {
      if (Math.fround(k / power) === value) return k < DECIMAL32_MAX && k > -DECIMAL32_MAX ? scale : SCALE_MAX + 1;
    } else if (k / power === value) {
      return k <= INTEGER_MAX && k >= -INTEGER_MAX ? scale : SCALE_MAX + 1;
    }
  }
  return SCALE_MAX + 1;
}

/** Of this many numbers one may fall out of the form. */
const ODD_SHARE = 12;

/** The forms worth trying on these numbers, the likeliest first; those that lose more than a twelfth of them are left out. */
export function formsOf(numbers: Float64Array): NumberForm[] {
  const forms: NumberForm[] = [];
  const decimal = bestScale(numbers, false);
  if (decimal >= 0) forms.push({ form: "decimal", scale: decimal, factor: 1 });
  if (decimal >= 0 && decimal < 5) return forms;
  if (mostly(numbers, (value) => Math.fround(value) === value)) {
    const decimal32 = bestScale(numbers, true);
    if (decimal32 >= 0) forms.push({ form: "decimal32", scale: decimal32, factor: 1 });
    else forms.push({ form: "float32", scale: 0, factor: 1 });
    return forms;
  }
  const factor = productFactor(numbers);
  if (factor !== undefined) forms.push({ form: "product", scale: 0, factor });
  return forms;
}

function mostly(numbers: Float64Array, fits: (value: number) => boolean): boolean {
  let odd = 0;
  const oddMax = numbers.length / ODD_SHARE;
  for (let i = 0; i < numbers.length; i++) if (!fits(numbers[i] as number) && ++odd > oddMax) return false;
  return true;
}

/** The smallest scale that all but the odd ones fit; -1 when there is none. One stray number must not widen all others. */
function bestScale(numbers: Float64Array, isFloat32: boolean): number {
  const counts = new Uint32Array(SCALE_MAX + 2);
  const oddMax = Math.floor(numbers.length / ODD_SHARE);
  for (let i = 0; i < numbers.length; i++) {
    const places = placesOf(numbers[i] as number, isFloat32);
    counts[places] = (counts[places] as number) + 1;
    if ((counts[SCALE_MAX + 1] as number) > oddMax) return -1;
  }
  let above = counts[SCALE_MAX + 1] as number;
  for (let scale = SCALE_MAX; scale > 0; scale--) {
    above += counts[scale] as number;
    if (above > oddMax) return scale;
  }
  return 0;
}

/** A factor that makes integers of these numbers: 0.1, 0.01 … as a driver multiplies, or the smallest step seen. */
function productFactor(numbers: Float64Array): number | undefined {
  const sorted = numbers.slice(0, 256).filter(Number.isFinite).sort();
  let step = Number.POSITIVE_INFINITY;
  for (let i = 1; i < sorted.length; i++) {
    const gap = (sorted[i] as number) - (sorted[i - 1] as number);
    if (gap > 0 && gap < step) step = gap;
  }
  const candidates = [0.1, 0.01, 0.001, 0.0001];
  if (step < Number.POSITIVE_INFINITY) {
    for (const digits of [3, 5, 7, 9, 12]) candidates.push(Number(step.toPrecision(digits)));
  }
  return candidates.find((factor) =>
    mostly(numbers, (value) => Math.abs(value / factor) < 1e6 && Math.round(value / factor) * factor === value),
  );
}
