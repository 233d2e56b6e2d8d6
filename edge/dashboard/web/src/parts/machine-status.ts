import { severityOf } from "../../../../kernel/status-code.ts";
import type { MachineSummary, SignalView } from "../../../schemas/views.ts";
import { capitalized } from "../format.ts";
import { isMachineStale, linkWordOf } from "../staleness.ts";
import type { Store } from "../store.ts";

export interface MachineStatus {
  readonly word: string;
  /** alarm: red, somebody should go there; warn: amber, something is not as it should be; calm: grey. */
  readonly level: "alarm" | "warn" | "calm" | "running";
  readonly stale: boolean;
  readonly link: ReturnType<typeof linkWordOf>;
}

/** The word on a machine's tile: its link first, for without one its own state is only a memory. */
export function machineStatusOf(machine: MachineSummary, store: Store, nowMs: number): MachineStatus {
  const link = linkWordOf(machine, nowMs);
  const stale = isMachineStale(machine, link, store.streamUp, nowMs);
  if (link === "disconnected") return { word: "Disconnected", level: "alarm", stale, link };
  if (link === "connecting") return { word: "Connecting", level: "warn", stale, link };
  if (link === "silent") return { word: "No data", level: "warn", stale, link };
  if (machine.state === "fault") return { word: "Fault", level: "alarm", stale, link };
  if (machine.state === "offline") return { word: "Offline", level: "warn", stale, link };
  if (machine.state === "running") return { word: "Running", level: "running", stale, link };
  if (machine.state !== null) return { word: capitalized(machine.state), level: "calm", stale, link };
  if (machine.updatedMs === null) return { word: "Waiting", level: "calm", stale, link };
  return { word: link === "unknown" ? "Recorded" : "Connected", level: "calm", stale, link };
}

/** The key values below the word. A state that the word says already is not said twice. */
export function readingsOf(machine: Pick<MachineSummary, "keys">, word: string): readonly SignalView[] {
  return machine.keys.filter((signal) => !saysState(signal, word));
}

function saysState({ name, value, statusCode }: SignalView, word: string): boolean {
  const good = statusCode !== null && severityOf(statusCode) === "good";
  return good && /state$/i.test(name) && typeof value === "string" && capitalized(value.toLowerCase()) === word;
}
