import type { ConnectionEntry, LatestProjection } from "./projection/latest-projection.ts";
import type { MachineEntry } from "./projection/machine-entry.ts";
import type { ConnectionView, LinkView, MachineDetail, MachineSummary, SignalView } from "./schemas/views.ts";

/** The projection in the words of the API. */
export function summaryOf(projection: LatestProjection, machine: MachineEntry): MachineSummary {
  const connection = projection.connectionOf(machine);
  const state = machine.state();
  return {
    machineId: machine.machineId,
    name: machine.machineId.slice(machine.machineId.indexOf("/") + 1),
    typeName: machine.typeName,
    connectionId: machine.connectionId,
    state: state?.word ?? null,
    stateSinceMs: state?.sinceMs ?? null,
    updatedMs: machine.updatedMs,
    ...machine.counts(),
    link: connection ? linkOf(connection) : null,
    lastGap: machine.lastGap ? { ...machine.lastGap } : null,
    keys: machine.keys.flatMap((name) => signalOf(machine, name, connection) ?? []),
  };
}

export function detailOf(projection: LatestProjection, machine: MachineEntry, nowMs: number): MachineDetail {
  const connection = projection.connectionOf(machine);
  return {
    ...summaryOf(projection, machine),
    offset: projection.offset,
    nowMs,
    signals: machine.signals.flatMap(({ name }) => signalOf(machine, name, connection) ?? []),
  };
}

export function connectionViewOf({ data, sinceMs, reportedMs }: ConnectionEntry): ConnectionView {
  const { machineIds, counters, problems } = data;
  return {
    ...data,
    machineIds: [...machineIds],
    counters: { ...counters },
    problems: [...problems],
    sinceMs,
    reportedMs,
  };
}

/** Whether a signal without news is stale: a polled one is, a subscribed one is not while its link is up. */
export function isPolled(mode: "subscribe" | "poll" | undefined, connection: ConnectionEntry | undefined): boolean {
  return mode === undefined ? connection?.data.protocol !== "opcua" : mode === "poll";
}

function linkOf({ data, sinceMs, reportedMs }: ConnectionEntry): LinkView {
  return { state: data.state, sinceMs, reportedMs };
}

function signalOf(
  machine: MachineEntry,
  name: string,
  connection: ConnectionEntry | undefined,
): SignalView | undefined {
  const info = machine.info(name);
  if (!info) return undefined;
  const latest = machine.latest.get(name);
  return {
    name,
    title: info.title,
    unit: info.unit,
    key: info.key,
    type: info.type,
    intervalMs: info.intervalMs,
    polled: isPolled(info.mode, connection),
    value: latest?.value ?? null,
    statusCode: latest?.statusCode ?? null,
    receivedMs: latest?.receivedMs ?? null,
    sourceMs: latest?.sourceMs ?? null,
    goodValue: latest?.goodValue ?? null,
    goodMs: latest?.goodMs ?? null,
  };
}
