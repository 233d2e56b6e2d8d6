import { isDeepStrictEqual } from "node:util";
import type { Config, Connection } from "./model.ts";

/** What one difference between two configurations asks for. */
export interface ConfigChange {
  readonly kind:
    | "connection-added"
    | "connection-removed"
    | "connection-settings"
    | "machines"
    | "site"
    | "log"
    | "dashboard"
    | "opcua"
    | "uplink";
  /** Of the connection, or null when the change is not about one. */
  readonly connectionId: string | null;
  /** Machines that were added, removed or changed. */
  readonly machineIds: readonly string[];
  /** apply: the running driver takes it, or the uplink begins anew; new-driver: that connection is closed and opened; restart: of the whole program. */
  readonly effect: "apply" | "new-driver" | "restart";
  /** For people: what changed. Never a value that could be a secret. */
  readonly sentence: string;
}

/** Names listed in a sentence before it says how many more there are. */
const NAMES_LISTED_MAX = 5;

type Machine = Connection["machines"][number];

/** What changed, by value: an edit of comments, order of keys or spelling gives nothing. */
export function diffConfig(before: Config, after: Config): ConfigChange[] {
  const changes: ConfigChange[] = [];
  const restart = (kind: ConfigChange["kind"], what: string): void => {
    const sentence = `${what}; this takes effect at the next start`;
    changes.push({ kind, connectionId: null, machineIds: [], effect: "restart", sentence });
  };
  if (before.site !== after.site) restart("site", `site was renamed from '${before.site}' to '${after.site}'`);
  for (const kind of ["log", "dashboard", "opcua"] as const) {
    const names = differingKeys(before[kind], after[kind]);
    if (names.length > 0) restart(kind, `${kind}: ${names.join(", ")} changed`);
  }
  if (before.uplink === undefined || after.uplink === undefined) {
    if (before.uplink !== after.uplink) changes.push(ofUplink(`uplink was ${after.uplink ? "added" : "removed"}`));
  } else {
    const names = differingKeys(before.uplink, after.uplink);
    if (names.length > 0) changes.push(ofUplink(`uplink: ${names.join(", ")} changed; it begins anew`));
  }
  const old = new Map(before.connections.map((connection) => [connection.id, connection]));
  const now = new Map(after.connections.map((connection) => [connection.id, connection]));
  for (const connection of before.connections) {
    if (!now.has(connection.id)) changes.push(whole("connection-removed", connection, "removed"));
  }
  for (const connection of after.connections) {
    const previous = old.get(connection.id);
    if (previous === undefined) changes.push(whole("connection-added", connection, "added"));
    else changes.push(...connectionChanges(previous, connection));
  }
  return changes;
}

/** The uplink goes on from its cursors: it is ended and begun, and nothing else is touched. */
function ofUplink(sentence: string): ConfigChange {
  return { kind: "uplink", connectionId: null, machineIds: [], effect: "apply", sentence };
}

function whole(kind: "connection-added" | "connection-removed", connection: Connection, verb: string): ConfigChange {
  const machineIds = connection.machines.map((machine) => machine.machineId);
  return {
    kind,
    connectionId: connection.id,
    machineIds,
    effect: "new-driver",
    sentence: `connection '${connection.id}' was ${verb}, with ${listed(machineIds)}`,
  };
}

function connectionChanges(before: Connection, after: Connection): ConfigChange[] {
  const { machines: oldMachines, ...oldSettings } = before;
  const { machines: newMachines, ...newSettings } = after;
  const differences = machineDifferences(oldMachines, newMachines);
  const machineIds = differences.map(({ machineId }) => machineId);
  const details = differences.map(({ text }) => text);
  const settings = differingKeys(oldSettings, newSettings);
  if (settings.length > 0) {
    return [
      {
        kind: "connection-settings",
        connectionId: after.id,
        machineIds,
        effect: "new-driver",
        sentence: `connection '${after.id}': ${[`${settings.join(", ")} changed`, ...details].join("; ")}`,
      },
    ];
  }
  if (differences.length === 0) return [];
  const sentence = `connection '${after.id}': ${listed(details, "; ")}`;
  return [{ kind: "machines", connectionId: after.id, machineIds, effect: "apply", sentence }];
}

function machineDifferences(
  before: readonly Machine[],
  after: readonly Machine[],
): { machineId: string; text: string }[] {
  const old = new Map(before.map((machine) => [machine.machineId, machine]));
  const now = new Map(after.map((machine) => [machine.machineId, machine]));
  const differences: { machineId: string; text: string }[] = [];
  for (const { machineId } of before) {
    if (!now.has(machineId)) differences.push({ machineId, text: `machine ${machineId} removed` });
  }
  for (const machine of after) {
    const { machineId } = machine;
    const previous = old.get(machineId);
    if (previous === undefined) {
      differences.push({
        machineId,
        text: `machine ${machineId} added with ${counted(machine.signals.length, "signal")}`,
      });
    } else if (!isDeepStrictEqual(previous, machine)) {
      differences.push({ machineId, text: `machine ${machineId}: ${machineText(previous, machine)}` });
    }
  }
  return differences;
}

function machineText(before: Machine, after: Machine): string {
  const { signals: oldSignals, ...oldKeys } = before;
  const { signals: newSignals, ...newKeys } = after;
  const old = new Map(oldSignals.map((signal) => [signal.name, signal]));
  const now = new Map(newSignals.map((signal) => [signal.name, signal]));
  const names = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name);
  const parts: [string[], string][] = [
    [differingKeys(oldKeys, newKeys), "changed"],
    [names(newSignals.filter(({ name }) => !old.has(name))), "added"],
    [names(oldSignals.filter(({ name }) => !now.has(name))), "removed"],
    [
      names(newSignals.filter((signal) => old.has(signal.name) && !isDeepStrictEqual(old.get(signal.name), signal))),
      "changed",
    ],
  ];
  const texts = parts.filter(([list]) => list.length > 0).map(([list, verb]) => `${listed(list)} ${verb}`);
  return texts.length > 0 ? texts.join(", ") : "order of signals changed";
}

function differingKeys(before: object, after: object): string[] {
  const left = before as Readonly<Record<string, unknown>>;
  const right = after as Readonly<Record<string, unknown>>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].filter(
    (key) => !isDeepStrictEqual(left[key], right[key]),
  );
}

function listed(items: readonly string[], separator = ", "): string {
  if (items.length <= NAMES_LISTED_MAX) return items.join(separator);
  return `${items.slice(0, NAMES_LISTED_MAX).join(separator)}${separator}and ${items.length - NAMES_LISTED_MAX} more`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
