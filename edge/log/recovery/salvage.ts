import { existsSync, rmSync } from "node:fs";
import { EdgeError } from "../../kernel/errors.ts";
import { openDatabase } from "../database.ts";
import { harvestOf, ledgerOf } from "./harvest.ts";
import { Rebuild, type SalvageReport } from "./rebuild.ts";

/**
 * Builds a new log out of whatever is readable in a damaged one: every block that proves, and every commit of the tail whose
 * slots do, with the epochs, seqs and offsets that they had. Looks at each page by itself, so no structure need be intact.
 * @throws EdgeError USAGE when the target exists, LOG_UNAVAILABLE when the file can't be read, LOG_FULL
 */
export function salvageLog(path: string, target: string): SalvageReport {
  if (!existsSync(path))
    throw new EdgeError("LOG_UNAVAILABLE", `there is no file ${path}`, { hint: "Check the name." });
  if (existsSync(target))
    throw new EdgeError("USAGE", `${target} is there already, and salvaging overwrites nothing`, {
      hint: "Name a new file with --to.",
    });
  const database = openDatabase(target);
  try {
    const harvest = harvestOf(database, path, ledgerOf(path));
    const report = database.transaction(() => new Rebuild(database).run(harvest))();
    database.exec("DROP TABLE temp.found");
    database.pragma("journal_mode = DELETE");
    return { target, ...report };
  } catch (error) {
    database.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(target + suffix, { force: true });
    throw error;
  } finally {
    database.close();
  }
}
