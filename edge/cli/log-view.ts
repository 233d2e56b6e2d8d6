import type { ConnectionData, SignalInfo, StoredEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { EdgeError } from "../kernel/errors.ts";
import { type Severity, severityOf } from "../kernel/status-code.ts";
import type { LogReader } from "../log/event-log.ts";

/** How far back one look goes for the newest value of every signal of a machine, and for every connection. */
const EVENTS_BACK_MAX = 4_096;
const FIRST_LOOK_EVENTS = 64;

export interface MachineView {
  readonly machineId: string;
  readonly typeName: string;
  readonly connectionId: string;
  readonly signals: readonly SignalInfo[];
  /** No longer in the configuration; its history stays. */
  readonly removed: boolean;
  /** UTC epoch ms of its newest telemetry, null when there is none. */
  readonly lastUpdateMs: number | null;
  readonly samples: ReadonlyMap<string, TelemetrySample>;
}

export interface ConnectionView extends ConnectionData {
  readonly timeMs: number;
}

/** Streams of machines; "<site>/edge" carries what concerns the box. */
export function machineIdsOf(log: LogReader): string[] {
  return log
    .streams()
    .map(({ machineId }) => machineId)
    .filter((machineId) => !machineId.endsWith("/edge"));
}

/** A machine as the log last knew it: signals by its newest `config` event, values by its newest telemetry. */
export function machineView(log: LogReader, machineId: string): MachineView {
  const config = log.latest(machineId, "config");
  const machine = config ? lastMachineConfig(log, config) : undefined;
  const signals = machine?.signals ?? [];
  return {
    machineId,
    typeName: machine?.typeName ?? "",
    connectionId: machine?.connectionId ?? "",
    signals,
    removed: config?.type === "config" && config.data.kind === "removed",
    lastUpdateMs: log.latest(machineId, "telemetry")?.timeMs ?? null,
    samples: latestSamples(log, machineId, signals.length),
  };
}

function lastMachineConfig(
  log: LogReader,
  newest: StoredEvent,
): { typeName: string; connectionId: string; signals: readonly SignalInfo[] } | undefined {
  const events = [newest, ...(isMachineConfig(newest) ? [] : configsBefore(log, newest))];
  for (const event of events) {
    if (event.type === "config" && event.data.kind === "machine") return event.data;
  }
  return undefined;
}

function isMachineConfig(event: StoredEvent): boolean {
  return event.type === "config" && event.data.kind === "machine";
}

function configsBefore(log: LogReader, newest: StoredEvent): StoredEvent[] {
  const after = Math.max(0, newest.seq - EVENTS_BACK_MAX);
  return log.readStream(newest.machineId, after, { limitEvents: EVENTS_BACK_MAX, types: ["config"] }).toReversed();
}

/** Newest sample of each signal, looking back no further than a bound: a signal that was silent for longer is left out. */
function latestSamples(log: LogReader, machineId: string, signals: number): Map<string, TelemetrySample> {
  const found = new Map<string, TelemetrySample>();
  const lastSeq = lastSeqOf(log, machineId);
  for (let back = FIRST_LOOK_EVENTS, until = lastSeq; until > 0 && back <= EVENTS_BACK_MAX; back *= 2) {
    const after = Math.max(0, lastSeq - back);
    const events = log.readStream(machineId, after, { limitEvents: until - after, types: ["telemetry"] });
    for (const event of events.toReversed()) {
      if (event.type !== "telemetry" || event.seq > until) continue;
      for (const sample of event.data.samples.toReversed()) {
        if (!found.has(sample.signal)) found.set(sample.signal, sample);
      }
    }
    if (signals > 0 && found.size >= signals) break;
    until = after;
  }
  return found;
}

function lastSeqOf(log: LogReader, machineId: string): number {
  return log.streams().find((stream) => stream.machineId === machineId)?.lastSeq ?? 0;
}

/** Newest event of each connection that a machine still uses; every live one writes at least every half minute. */
export function connectionViews(log: LogReader, machines: readonly MachineView[]): ConnectionView[] {
  const wanted = new Set(machines.filter(({ removed }) => !removed).map(({ connectionId }) => connectionId));
  const found = new Map<string, ConnectionView>();
  for (const stream of log.streams().filter(({ machineId }) => machineId.endsWith("/edge"))) {
    for (let back = FIRST_LOOK_EVENTS; back <= EVENTS_BACK_MAX; back *= 2) {
      const after = Math.max(0, stream.lastSeq - back);
      const events = log.readStream(stream.machineId, after, { limitEvents: back, types: ["connection"] });
      for (const event of events) {
        if (event.type !== "connection" || !wanted.has(event.data.connectionId)) continue;
        found.set(event.data.connectionId, { ...event.data, timeMs: event.timeMs });
      }
      if (after === 0 || [...wanted].every((id) => found.has(id))) break;
    }
  }
  return [...found.values()].sort((a, b) => a.connectionId.localeCompare(b.connectionId));
}

/**
 * The machine that a person means: its whole id, or its name when only one site has it.
 * @throws EdgeError USAGE
 */
export function resolveMachine(log: LogReader, name: string): string {
  const known = log.streams().map(({ machineId }) => machineId);
  const found = known.includes(name) ? [name] : known.filter((machineId) => machineId.endsWith(`/${name}`));
  if (found.length === 1 && found[0] !== undefined) return found[0];
  throw new EdgeError(
    "USAGE",
    found.length > 1 ? `"${name}" may be ${found.join(" or ")}` : `the log has no machine "${name}"`,
    { hint: known.length === 0 ? "The log has no machine yet." : `Known: ${known.slice(0, 20).join(", ")}` },
  );
}

/** How many of a machine's newest samples are of each severity. */
export function countSeverities(samples: Iterable<TelemetrySample>): Record<Severity, number> {
  const counts: Record<Severity, number> = { good: 0, uncertain: 0, bad: 0 };
  for (const { statusCode } of samples) counts[severityOf(statusCode)] += 1;
  return counts;
}
