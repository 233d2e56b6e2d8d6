import type Database from "better-sqlite3";

/** The epochs of a log file, by the offset at which each begins. */
export class Epochs {
  readonly #statement: Database.Statement;
  #epochs: readonly { firstOffset: number; epoch: string }[] = [];

  constructor(database: Database.Database) {
    this.#statement = database.prepare(
      "SELECT first_offset AS firstOffset, epoch FROM epoch ORDER BY first_offset DESC",
    );
    this.reload();
  }

  reload(): void {
    this.#epochs = this.#statement.all() as { firstOffset: number; epoch: string }[];
  }

  /** The one that new events get. */
  get current(): string {
    return this.#epochs[0]?.epoch ?? "";
  }

  of(offset: number): string {
    return this.#epochs.find(({ firstOffset }) => offset >= firstOffset)?.epoch ?? this.current;
  }
}
