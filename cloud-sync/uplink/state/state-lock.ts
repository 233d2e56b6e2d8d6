import Database from "better-sqlite3";
import { EdgeError } from "../../../edge/kernel/errors.ts";

/**
 * Held by the one uplink that works on a log: two would move each other's cursors and close each other's connections. The
 * lock is the operating system's, so that a process that is killed leaves none behind.
 * @throws EdgeError LOG_UNAVAILABLE while another one holds it
 */
export function lockState(path: string): Disposable {
  let lock: Database.Database | undefined;
  try {
    lock = new Database(`${path}.lock`, { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock?.close();
    lock = undefined;
    if (error instanceof Database.SqliteError && error.code === "SQLITE_BUSY") {
      throw new EdgeError("LOG_UNAVAILABLE", `another uplink forwards the log beside ${path} already`, {
        cause: error,
        hint: "End one of them: the runtime and the uplink's module forward the same log. This one begins when the other has ended.",
      });
    }
    // A disk that takes no new file is no reason to forward nothing.
  }
  return { [Symbol.dispose]: () => lock?.close() };
}
