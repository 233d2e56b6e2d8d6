import { randomUUID } from "node:crypto";
import type Database from "better-sqlite3";

/** The epochs of a log file, by the offset at which each begins. */
export class Epochs {
  readonly #statement: Database.Statement;
  readonly #insert: Database.Statement | undefined;
  #epochs: readonly { firstOffset: number; epoch: string }[] = [];

  constructor(database: Database.Database) {
    this.#statement = database.prepare(
      "SELECT first_offset AS firstOffset, epoch FROM epoch ORDER BY first_offset DESC",
    );
    if (!database.readonly) {
      this.#insert = database.prepare(`
        INSERT INTO epoch (first_offset, epoch, cause) VALUES (?, ?, ?)
        ON CONFLICT (first_offset) DO UPDATE SET epoch = excluded.epoch, cause = excluded.cause`);
    }
    this.reload();
  }

  reload(): void {
    this.#epochs = this.#statement.all() as { firstOffset: number; epoch: string }[];
  }

  /**
   * Begins a new epoch after `headOffset`: from here on no number can be mistaken for one that was given out before.
   * For a transaction that holds the write lock.
   */
  begin(headOffset: number, cause: string): void {
    this.#insert?.run(headOffset + 1, randomUUID(), cause);
    this.reload();
  }

  /** The one that new events get. */
  get current(): string {
    return this.#epochs[0]?.epoch ?? "";
  }

  /** New events get no offset below it. */
  get firstOffset(): number {
    return this.#epochs[0]?.firstOffset ?? 0;
  }

  of(offset: number): string {
    return this.#epochs.find(({ firstOffset }) => offset >= firstOffset)?.epoch ?? this.current;
  }
}
