import type { Logger } from "pino";
import type { Clock } from "../kernel/clock.ts";
import type { Supervisor } from "../kernel/supervisor.ts";
import type { ConfigInForce } from "./config-in-force.ts";

/** What runs in a process; the log is the only thing that the parts share, so each may be a process of its own. */
export type Part = "collector" | "dashboard" | "uplink";

/** What every part works with. */
export interface PartDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Supervisor;
  readonly inForce: ConfigInForce;
}

export type Environment = Readonly<Record<string, string | undefined>>;
