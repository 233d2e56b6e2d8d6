import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Supervisor } from "../../edge/kernel/supervisor.ts";
import type { CloudConfig } from "../config/model.ts";
import type { Database } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import type { CloudPart } from "./cloud.ts";

/** What every part works with. */
export interface PartDeps {
  readonly config: CloudConfig;
  readonly parts: readonly CloudPart[];
  readonly database: Database;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Supervisor;
}

/** Takes the parts in; resolves when those that listen do. */
export async function addParts(_deps: PartDeps): Promise<{ office: string | undefined; account: string | undefined }> {
  return { office: undefined, account: undefined };
}
