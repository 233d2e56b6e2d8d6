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

export function saveNames(database: Database.Database, machineRef: number, names: readonly string[]): void {
  database
    .prepare(`
      INSERT INTO signal (machine_ref, names) VALUES (?, ?)
      ON CONFLICT (machine_ref) DO UPDATE SET names = excluded.names`)
    .run(machineRef, zstdCompressSync(Buffer.from(JSON.stringify(names))));
}
