import type { Clock } from "../kernel/clock.ts";
import type { LogReader } from "../log/event-log.ts";
import type { LogGauge } from "../log/log-gauge.ts";
import type { LatestProjection } from "./projection/latest-projection.ts";
import type { StreamHub } from "./stream/stream-hub.ts";
import type { UplinkWatch } from "./uplink/uplink-watch.ts";

/** What routes work with. */
export interface DashboardContext {
  readonly log: LogReader;
  readonly site: string;
  readonly clock: Clock;
  readonly projection: LatestProjection;
  readonly hub: StreamHub;
  readonly gauge: LogGauge;
  readonly uplink: UplinkWatch;
}
