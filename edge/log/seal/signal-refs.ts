import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type Database from "better-sqlite3";

const NAMES_BYTES_MAX = 32 * 1024 * 1024;

/** Names of a machine's signals as roll-ups number them. */
export function readNames(database: Database.Database, machineRef: number): string[] {
  const bytes = database.prepare("SELECT names FROM signal WHERE machine_ref = ?").pluck().get(machineRef) as
    | Buffer
    | undefined;
  if (!bytes) return [];
  return JSON.parse(zstdDecompressSync(bytes, { maxOutputLength: NAMES_BYTES_MAX }).toString("utf8")) as string[];
}

/** Numbers of signals in roll-ups; new ones are given out while sealing and saved with it. */
export class SignalRefs {
  readonly #database: Database.Database;
  readonly #byMachine = new Map<string, { readonly refs: Map<string, number>; readonly saved: number }>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** @param machineRef negative for a machine that has none yet */
  of(machineId: string, machineRef: number): (name: string) => number {
    const names = readNames(this.#database, machineRef);
    const refs = new Map(names.map((name, ref) => [name, ref]));
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
    this.#database
      .prepare(`
        INSERT INTO signal (machine_ref, names) VALUES (?, ?)
        ON CONFLICT (machine_ref) DO UPDATE SET names = excluded.names`)
      .run(machineRef, zstdCompressSync(Buffer.from(JSON.stringify([...known.refs.keys()]))));
  }
}
