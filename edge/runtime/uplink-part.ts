import type { EventLog } from "../log/event-log.ts";
import type { Environment, PartDeps } from "./part.ts";
export class UplinkPart {
  constructor(_ownLog: EventLog | undefined, _environment: Environment, _deps: PartDeps) {}
  start(): void {}
}
