import type Database from "better-sqlite3";

/** Numbers of signals in roll-ups; new ones are given out while sealing and saved with it. */
export class SignalRefs {
  readonly #database: Database.Database;
  readonly #byMachine = new Map<string, { readonly refs: Map<string, number>; saved: number }>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** @param machineRef negative for a machine that has none yet */
  of(machineId: string, machineRef: number): (name: string) => number {
    const rows = this.#database
      .prepare("SELECT name, signal_ref FROM signal WHERE machine_ref = ? ORDER BY signal_ref")
      .raw()
      .all(machineRef) as [string, number][];
    const refs = new Map(rows);
    this.#byMachine.set(machineId, { refs, saved: refs.size });
    return (name) => {
      let ref = refs.get(name);
      if (ref === undefined) {
        ref = refs.size;
        refs.set(name, ref);
      }
      return ref;
    };
  }

  save(machineId: string, machineRef: number): void {
    const known = this.#byMachine.get(machineId);
    if (!known || known.refs.size === known.saved) return;
    const insert = this.#database.prepare("INSERT INTO signal (machine_ref, signal_ref, name) VALUES (?, ?, ?)");
    for (const [name, ref] of known.refs) if (ref >= known.saved) insert.run(machineRef, ref, name);
    known.saved = known.refs.size;
  }
}
