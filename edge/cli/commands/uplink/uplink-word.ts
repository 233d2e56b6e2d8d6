import type { UplinkStatus } from "../../../../cloud-sync/uplink/ports.ts";
import { uplinkStatePathOf } from "../../../../cloud-sync/uplink/state/schema.ts";
import { openUplinkStateReader } from "../../../../cloud-sync/uplink/state/state-reader.ts";

/** What the uplink of a log said of itself last; undefined when none ever ran. @throws EdgeError LOG_UNAVAILABLE */
export function uplinkWord(logPath: string): { readonly path: string; readonly status: UplinkStatus | undefined } {
  const path = uplinkStatePathOf(logPath);
  using reader = openUplinkStateReader(path);
  return { path, status: reader.status() };
}
