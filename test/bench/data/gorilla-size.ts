import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import type { TelemetryEvent } from "./tick.ts";

/** A block of the paper covers two hours; ours end with the data. */
const FIRST_TIME_BITS = 64 + 14;

/**
 * What the encoding of the Gorilla paper (PVLDB 8(12), section 4.1) makes of the same events, so that its 1.37 B need not
 * stand beside other data alone: one series a signal, delta-of-delta for times, XOR for doubles. Computed, not written.
 * It is given less to keep than the log: one time in milliseconds, which each series pays for itself as the paper has it;
 * no status, no text (a text counts as the number of its first appearance).
 */
export function gorillaBytes(events: readonly TelemetryEvent[]): number {
  const series = new Map<string, Series>();
  for (const { machineId, timeMs, data } of events) {
    for (const { signal, value } of data.samples) {
      const key = `${machineId} ${signal}`;
      let own = series.get(key);
      if (own === undefined) {
        own = new Series();
        series.set(key, own);
      }
      own.add(timeMs, value);
    }
  }
  return [...series.values()].reduce((sum, { bits }) => sum + Math.ceil(bits / 8), 0);
}

class Series {
  bits = 0;
  readonly #view = new DataView(new ArrayBuffer(8));
  readonly #texts = new Map<string, number>();
  #timeMs = Number.NaN;
  #deltaMs = 0;
  #previous = 0n;
  #leading = -1;
  #trailing = 0;

  add(timeMs: number, value: SampleValue): void {
    const bits = this.#bitsOf(value);
    if (Number.isNaN(this.#timeMs)) this.bits += FIRST_TIME_BITS + 64;
    else {
      const deltaMs = timeMs - this.#timeMs;
      this.bits += timeBits(deltaMs - this.#deltaMs) + this.#valueBits(bits ^ this.#previous);
      this.#deltaMs = deltaMs;
    }
    this.#timeMs = timeMs;
    this.#previous = bits;
  }

  #valueBits(xor: bigint): number {
    if (xor === 0n) return 1;
    const text = xor.toString(2);
    // The paper has five bits for the count of leading zeros.
    const leading = Math.min(31, 64 - text.length);
    const trailing = text.length - 1 - text.lastIndexOf("1");
    if (this.#leading >= 0 && leading >= this.#leading && trailing >= this.#trailing) {
      return 2 + 64 - this.#leading - this.#trailing;
    }
    this.#leading = leading;
    this.#trailing = trailing;
    return 2 + 5 + 6 + 64 - leading - trailing;
  }

  #bitsOf(value: SampleValue): bigint {
    let number = Number(value);
    if (typeof value === "string") {
      number = this.#texts.get(value) ?? this.#texts.size;
      this.#texts.set(value, number);
    }
    this.#view.setFloat64(0, number);
    return this.#view.getBigUint64(0);
  }
}

function timeBits(deltaOfDelta: number): number {
  if (deltaOfDelta === 0) return 1;
  if (deltaOfDelta >= -63 && deltaOfDelta <= 64) return 2 + 7;
  if (deltaOfDelta >= -255 && deltaOfDelta <= 256) return 3 + 9;
  return deltaOfDelta >= -2047 && deltaOfDelta <= 2048 ? 4 + 12 : 4 + 32;
}
