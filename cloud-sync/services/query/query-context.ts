import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Sql } from "../../database/database.ts";

/** What routes work with. */
export interface QueryContext {
  /** Reads only; a statement that takes longer than the service allows is ended by the server. */
  readonly sql: Sql;
  readonly clock: Clock;
}
