/** Stretches of offsets, each without its beginning and with its end; those that touch are one. */
export class OffsetRanges {
  #ranges: { readonly after: number; readonly to: number }[] = [];

  get count(): number {
    return this.#ranges.length;
  }

  add(after: number, to: number): void {
    if (to <= after) return;
    const apart = this.#ranges.filter((range) => range.to < after || range.after > to);
    const touching = this.#ranges.filter((range) => range.to >= after && range.after <= to);
    const merged = {
      after: Math.min(after, ...touching.map((range) => range.after)),
      to: Math.max(to, ...touching.map((range) => range.to)),
    };
    this.#ranges = [...apart, merged].sort((a, b) => a.after - b.after);
  }

  has(offset: number): boolean {
    return this.#ranges.some((range) => offset > range.after && offset <= range.to);
  }

  covers(first: number, last: number): boolean {
    return this.#ranges.some((range) => first > range.after && last <= range.to);
  }

  touches(first: number, last: number): boolean {
    return this.#ranges.some((range) => first <= range.to && last > range.after);
  }

  /** The end of the stretch that begins at or before this offset and passes it; the offset itself when there is none. */
  endAfter(offset: number): number {
    return this.#ranges.find((range) => range.after <= offset && range.to > offset)?.to ?? offset;
  }

  /** Nothing at or below is asked for any more. */
  forgetUpTo(offset: number): void {
    this.#ranges = this.#ranges.filter((range) => range.to > offset);
  }

  clear(): void {
    this.#ranges = [];
  }
}
