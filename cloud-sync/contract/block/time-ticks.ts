import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { IntegerCode } from "./integer-code.ts";
import { type Coder, directWide } from "./range-coder.ts";

/** Times are counted in ticks of 1/4096 ms: until the year 2039 every double of milliseconds is a whole number of them. */
export const TICKS_PER_MS = 4096;
const TIME_MS_END = 2 ** 41;
const TICKS_MAX = 2 ** 53 - 1;

/** NaN when the time is no whole number of ticks, or lies before 1970 or after 2039. */
export function ticksOf(timeMs: number): number {
  const ticks = timeMs * TICKS_PER_MS;
  return timeMs >= 0 && timeMs < TIME_MS_END && Number.isInteger(ticks) && !Object.is(timeMs, -0) ? ticks : Number.NaN;
}

/** A prediction brought to where times can be, so that every difference is an exact integer. */
export function withinTime(ticks: number): number {
  return ticks < 0 ? 0 : ticks > TICKS_MAX ? TICKS_MAX : ticks;
}

/** @throws BlockError malformed when there is no such time */
export function checkedTicks(ticks: number): number {
  if (!(ticks >= 0 && ticks <= TICKS_MAX)) throw malformed("a time is out of range");
  return ticks;
}

/** A difference in ticks: its whole milliseconds as an integer, a bit that tells whether more follows, then that in 12 bits. */
export class TickCode {
  readonly #whole = new IntegerCode();
  readonly #part = fairBits(1);

  code(coder: Coder, ticks: number): number {
    const wholeMs = this.#whole.code(coder, Math.floor(ticks / TICKS_PER_MS));
    const part = ticks - Math.floor(ticks / TICKS_PER_MS) * TICKS_PER_MS;
    if (coder.bit(this.#part, 0, part === 0 ? 0 : 1) === 0) return wholeMs * TICKS_PER_MS;
    return wholeMs * TICKS_PER_MS + directWide(coder, part, 12);
  }
}
