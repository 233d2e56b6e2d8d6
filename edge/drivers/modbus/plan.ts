import type { ModbusMachine, ModbusSignal, ModbusTable } from "../../kernel/config/model.ts";
import { cellCountOf } from "./decode.ts";

/** Limits of one read by the Modbus Application Protocol V1.1b3, 6.1 to 6.4. */
export const REGISTERS_PER_READ_MAX = 125;
export const BITS_PER_READ_MAX = 2_000;
const CELLS_PER_TABLE = 65_536;

/** A run of cells of one table: zero-based address and count of registers, or of bits for coils and discrete inputs. */
export interface CellRange {
  readonly table: ModbusTable;
  readonly address: number;
  readonly count: number;
}

/** One signal's place in a read. */
export interface PlannedItem {
  readonly machineId: string;
  readonly signal: ModbusSignal;
  readonly address: number;
  readonly count: number;
}

/** One request on the line, and the signals that it feeds. */
export interface PlannedRead extends CellRange {
  readonly unitId: number;
  readonly pollIntervalMs: number;
  readonly items: readonly PlannedItem[];
}

export interface PlanOptions {
  /** Ranges that spoiled a read: none is read along with anything else. By unit id. */
  readonly quarantine?: ReadonlyMap<number, readonly CellRange[]>;
  /** Longest read that a unit turned out to accept, in registers, when that is less than configured. */
  readonly learnedMax?: ReadonlyMap<number, number>;
}

export interface Plan {
  readonly reads: readonly PlannedRead[];
  /** Signals that no read can ever fetch: past the table's end or longer than the protocol's limit. */
  readonly unreadable: readonly PlannedItem[];
}

/**
 * The fewest reads, by a greedy walk along the addresses, that fetch every signal: per unit, table and poll interval,
 * within the device's longest read, with gaps of at most `gapRegistersMax` unread registers, never with a value split.
 * Pure; the order of the reads is by unit, interval, table and address.
 */
export function planReads(machines: readonly ModbusMachine[], options: PlanOptions = {}): Plan {
  const groups = new Map<string, { machine: ModbusMachine; limits: Limits; items: PlannedItem[] }>();
  const unreadable: PlannedItem[] = [];
  for (const machine of machines) {
    for (const signal of machine.signals) {
      const item = { machineId: machine.machineId, signal, address: signal.address, count: cellCountOf(signal) };
      const protocolMax = isBits(signal.table) ? BITS_PER_READ_MAX : REGISTERS_PER_READ_MAX;
      if (item.count > protocolMax || item.address + item.count > CELLS_PER_TABLE) {
        unreadable.push(item);
        continue;
      }
      const key = `${machine.unitId}|${signal.pollIntervalMs}|${signal.table}`;
      const limits = limitsOf(machine, signal.table, options.learnedMax?.get(machine.unitId));
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { machine, limits, items: [item] });
      else {
        // Two machines may share a unit; the narrower limits hold for what they read together.
        group.limits = {
          cellsMax: Math.min(group.limits.cellsMax, limits.cellsMax),
          gapMax: Math.min(group.limits.gapMax, limits.gapMax),
        };
        group.items.push(item);
      }
    }
  }
  const reads = [...groups.values()].flatMap(({ machine, limits, items }) => {
    const first = items[0];
    if (first === undefined) return [];
    const { table, pollIntervalMs } = first.signal;
    const avoided = (options.quarantine?.get(machine.unitId) ?? []).filter((range) => range.table === table);
    return coalesce(items, table, limits, avoided).map((read) => ({ ...read, unitId: machine.unitId, pollIntervalMs }));
  });
  return { reads: reads.sort(byPlace), unreadable };
}

interface Limits {
  readonly cellsMax: number;
  readonly gapMax: number;
}

function isBits(table: ModbusTable): boolean {
  return table === "coil" || table === "discrete";
}

/** A device's limit in registers is taken as its limit in bytes, so that it holds for bits too. */
function limitsOf(machine: ModbusMachine, table: ModbusTable, learnedMax = REGISTERS_PER_READ_MAX): Limits {
  const registersMax = Math.max(1, Math.min(machine.registersPerReadMax, learnedMax, REGISTERS_PER_READ_MAX));
  return isBits(table)
    ? { cellsMax: Math.min(registersMax * 16, BITS_PER_READ_MAX), gapMax: machine.gapRegistersMax * 16 }
    : { cellsMax: registersMax, gapMax: machine.gapRegistersMax };
}

type Run = CellRange & { readonly items: readonly PlannedItem[] };

function coalesce(
  items: readonly PlannedItem[],
  table: ModbusTable,
  limits: Limits,
  avoided: readonly CellRange[],
): Run[] {
  const sorted = items.toSorted(
    (a, b) => a.address - b.address || a.count - b.count || compare(a.machineId, b.machineId),
  );
  const runs: Run[] = [];
  let open: Run | undefined;
  for (const item of sorted) {
    if (open !== undefined) {
      const end = Math.max(open.address + open.count, item.address + item.count);
      const joined = { table, address: open.address, count: end - open.address };
      const gap = item.address - (open.address + open.count);
      const sameCells = open.address === item.address && open.count === item.count;
      const fits = gap <= limits.gapMax && joined.count <= limits.cellsMax;
      if (sameCells || (fits && !avoided.some((range) => overlap(range, joined)))) {
        open = { ...joined, items: [...open.items, item] };
        runs[runs.length - 1] = open;
        continue;
      }
    }
    open = { table, address: item.address, count: item.count, items: [item] };
    runs.push(open);
  }
  return runs;
}

export function overlap(a: CellRange, b: CellRange): boolean {
  return a.table === b.table && a.address < b.address + b.count && b.address < a.address + a.count;
}

function byPlace(a: PlannedRead, b: PlannedRead): number {
  return (
    a.unitId - b.unitId ||
    a.pollIntervalMs - b.pollIntervalMs ||
    compare(a.table, b.table) ||
    a.address - b.address ||
    a.count - b.count
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
