import type { NodeId } from "node-opcua-client";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import type { OpcuaMachine, OpcuaSignal } from "../../kernel/config/model.ts";
import type { SignalProblem } from "../driver.ts";
import type { Suspicion } from "./suspicion.ts";

/** A subscription on the server, as far as this side knows it. */
export interface Subscription {
  readonly id: number;
  /** Longest silence that the server promised, revised. */
  readonly keepAliveMs: number;
  readonly publishingIntervalMs: number;
  heardMs: number;
  lastSequence: number;
  /** Republish has been tried in the silence that lasts. */
  republished: boolean;
}

/** What the driver knows of one signal. It outlives links, so that a reading is not told twice after a reconnect. */
export interface Item {
  readonly machineId: string;
  readonly signal: OpcuaSignal;
  /** Client handle of the monitored item; unique in the driver's life. */
  readonly handle: number;
  nodeId: NodeId | null;
  subscription: Subscription | null;
  monitoredItemId: number;
  /** As the server revised it: it may look far less often than asked. */
  samplingIntervalMs: number;
  /** How often this item alone fell silent while the others of its subscription spoke; from the second time on it is polled. */
  silences: number;
  /** The deadband is applied here, because the server refused to. */
  localDeadband: boolean;
  problem: SignalProblem | null;
  /** Last reading that the consumer got from the server. */
  hasLast: boolean;
  lastValue: SampleValue;
  lastStatusCode: number;
  lastSourceMs: number | null;
  /** Status that this driver has put on the signal by itself since then (link lost, refused); null when the server speaks. */
  marked: number | null;
  /** Monotonic time of the last notification or of the creation, whichever is later. */
  heardMs: number;
  /** Readings that contradict the silent subscription; null when there is none. */
  suspicion: Suspicion | null;
  /** The next notification may be the initial value of a monitored item made anew. */
  fresh: boolean;
}

/** The items of a set of machines. Those whose configuration did not change are kept as they are. */
export function reconcileItems(
  machines: readonly OpcuaMachine[],
  current: ReadonlyMap<string, Item>,
  nextHandle: () => number,
): { items: Map<string, Item>; removed: Item[] } {
  const items = new Map<string, Item>();
  for (const machine of machines) {
    for (const signal of machine.signals) {
      const key = `${machine.machineId}\n${signal.name}`;
      const old = current.get(key);
      const same =
        old !== undefined && (old.signal === signal || JSON.stringify(old.signal) === JSON.stringify(signal));
      items.set(key, same ? old : newItem(machine.machineId, signal, nextHandle()));
    }
  }
  return { items, removed: [...current.entries()].flatMap(([key, item]) => (items.get(key) === item ? [] : [item])) };
}

function newItem(machineId: string, signal: OpcuaSignal, handle: number): Item {
  return {
    machineId,
    signal,
    handle,
    nodeId: null,
    subscription: null,
    monitoredItemId: 0,
    samplingIntervalMs: signal.samplingIntervalMs,
    silences: 0,
    localDeadband: false,
    problem: null,
    hasLast: false,
    lastValue: null,
    lastStatusCode: 0,
    lastSourceMs: null,
    marked: null,
    heardMs: 0,
    suspicion: null,
    fresh: true,
  };
}

/** Forgets what belonged to a session that is gone. */
export function detach(item: Item): void {
  item.subscription = null;
  item.monitoredItemId = 0;
  item.nodeId = null;
  item.fresh = true;
  item.suspicion = null;
  item.silences = 0;
}
