import { Database } from "../../database/database.ts";

/** A statement that takes longer is ended: nobody waits for such an answer, and it keeps others waiting. */
export const STATEMENT_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 8;

/**
 * Connections of the query service's own: what is asked never takes one that somebody needs for writing, can't write, and ends in time.
 * Compiling a statement (JIT) costs more than any of them takes.
 */
export function openReads(url: string): Database {
  const address = new URL(url);
  const given = address.searchParams.get("options");
  const own = "-c default_transaction_read_only=on -c jit=off";
  address.searchParams.set("options", given === null ? own : `${given} ${own}`);
  return new Database({
    url: address.href,
    connectionsMax: CONNECTIONS_MAX,
    applicationName: "tailstock-query",
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
}
