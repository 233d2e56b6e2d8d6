import type { EventLog } from "../log/event-log.ts";
import type { PartDeps } from "./collector.ts";
export class UplinkPart {
  constructor(_ownLog: EventLog | undefined, _deps: PartDeps) {}
  start(): void {}
}
