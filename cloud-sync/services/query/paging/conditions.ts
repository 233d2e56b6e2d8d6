/** Conditions of a WHERE and their parameters; values are never spliced into the text. */
export class Conditions {
  readonly #texts: string[] = [];
  readonly values: unknown[] = [];

  /** @param text with "?" where the parameter stands; left out when the value is undefined */
  add(text: string, value: unknown): this {
    if (value === undefined) return this;
    const place = this.parameter(value);
    this.#texts.push(text.replaceAll("?", place));
    return this;
  }

  /** A condition without a parameter. */
  fixed(text: string): this {
    this.#texts.push(text);
    return this;
  }

  /** Takes a parameter and tells its place: "$3". */
  parameter(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  get text(): string {
    return this.#texts.length === 0 ? "true" : this.#texts.join(" AND ");
  }
}

/** Times of a request, as PostgreSQL takes them. */
export function instant(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}

/** A pattern for ILIKE that finds the text anywhere, whatever signs are in it. */
export function containing(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? undefined : `%${text.trim().replace(/[\\%_]/g, "\\$&")}%`;
}
