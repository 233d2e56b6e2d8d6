import type { SampleValue } from "../sample.ts";

/** Values of one column: plain numbers in a typed array; whatever is no number stands in `others` at its place. */
export interface Values {
  /** NaN where the value is no number; a bigint as the number nearest to it. */
  readonly numbers: Float64Array;
  /** Sparse; null when all are numbers. */
  readonly others: (SampleValue | undefined)[] | null;
}

export function valuesOf(numbers: Float64Array): Values {
  return { numbers, others: null };
}

export function valueAt({ numbers, others }: Values, index: number): SampleValue {
  const other = others?.[index];
  return other === undefined ? (numbers[index] as number) : other;
}

/** The values at these places. */
export function pick(values: Values, places: Uint32Array): Values {
  const numbers = new Float64Array(places.length);
  const others: (SampleValue | undefined)[] | null = values.others === null ? null : new Array(places.length);
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as number;
    numbers[i] = values.numbers[place] as number;
    if (others !== null) others[i] = values.others?.[place];
  }
  return { numbers, others };
}

export function fromArray(list: readonly SampleValue[]): Values {
  const numbers = new Float64Array(list.length);
  const others: (SampleValue | undefined)[] = new Array(list.length);
  let plain = true;
  for (let i = 0; i < list.length; i++) {
    const value = list[i] as SampleValue;
    numbers[i] = numberIn(value);
    if (typeof value !== "number") {
      others[i] = value;
      plain = false;
    }
  }
  return { numbers, others: plain ? null : others };
}

/** The number that a value is or is nearest to; NaN for what is no number. */
export function numberIn(value: SampleValue): number {
  if (typeof value === "number") return value;
  return typeof value === "bigint" ? Number(value) : Number.NaN;
}
