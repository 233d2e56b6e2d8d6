import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modbusMachine, modbusSignal } from "../../../test/support/modbus-fixtures.ts";
import type { ModbusMachine, ModbusSignal } from "../../kernel/config/model.ts";
import { type CellRange, overlap, type Plan, planReads } from "./plan.ts";

const GOLDEN = fileURLToPath(new URL("../../../test/golden/modbus-plan/", import.meta.url));

/** input.json: machines with the settings that differ from the fixtures' (125 registers, gap 8, holding uint16, 50 ms). */
interface Input {
  readonly machines: readonly (Partial<Omit<ModbusMachine, "signals">> & {
    readonly unitId: number;
    readonly signals: readonly (Partial<ModbusSignal> & { readonly name: string; readonly address: number })[];
  })[];
  readonly quarantine?: Readonly<Record<string, readonly CellRange[]>>;
  readonly learnedMax?: Readonly<Record<string, number>>;
}

function planOf(input: Input): Plan {
  const byUnit = <T>(record: Readonly<Record<string, T>> = {}) =>
    new Map(Object.entries(record).map(([unitId, value]) => [Number(unitId), value]));
  const machines = input.machines.map(({ unitId, signals, ...other }) => ({
    ...modbusMachine(
      unitId,
      signals.map((signal) => modbusSignal(signal.name, signal.address, signal)),
    ),
    ...other,
  }));
  return planReads(machines, { quarantine: byUnit(input.quarantine), learnedMax: byUnit(input.learnedMax) });
}

/** "unit 1 holding 0+2 every 50 ms: a b" */
function linesOf(plan: Plan): string[] {
  const names = (items: Plan["unreadable"]) => items.map(({ signal }) => signal.name).join(" ");
  return [
    ...plan.reads.map(
      (read) =>
        `unit ${read.unitId} ${read.table} ${read.address}+${read.count} every ${read.pollIntervalMs} ms: ${names(read.items)}`,
    ),
    ...(plan.unreadable.length > 0 ? [`unreadable: ${names(plan.unreadable)}`] : []),
  ];
}

describe("golden plans", () => {
  const cases = readdirSync(GOLDEN);
  test("there are cases, each with both files", () => {
    expect(cases.length).toBeGreaterThanOrEqual(8);
    for (const name of cases) expect(existsSync(`${GOLDEN}${name}/plan.json`), name).toBe(true);
  });
  test.each(cases)("%s", (name) => {
    const read = (file: string): unknown => JSON.parse(readFileSync(`${GOLDEN}${name}/${file}`, "utf8"));
    expect(linesOf(planOf(read("input.json") as Input))).toEqual(read("plan.json"));
  });
});

// Goal: whatever the signals, limits and quarantine, a plan is complete and within every limit.
test("any plan reads every signal once, splits no value, and keeps to the limits", () => {
  const anySignal = fc.record({
    address: fc.integer({ min: 0, max: 300 }),
    type: fc.constantFrom<ModbusSignal["type"][]>("uint16", "float32", "float64"),
    table: fc.constantFrom<ModbusSignal["table"][]>("holding", "input"),
    pollIntervalMs: fc.constantFrom(50, 1_000),
  });
  const anyRange = fc.record({
    table: fc.constant("holding" as const),
    address: fc.nat(300),
    count: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(
      fc.array(anySignal, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 4, max: 125 }),
      fc.integer({ min: 0, max: 20 }),
      fc.array(anyRange, { maxLength: 5 }),
      (signals, registersPerReadMax, gapRegistersMax, avoided) => {
        const named = signals.map((signal, i) => modbusSignal(`s${i}`, signal.address, signal));
        const machine = { ...modbusMachine(3, named), registersPerReadMax, gapRegistersMax };
        const { reads, unreadable } = planReads([machine], { quarantine: new Map([[3, avoided]]) });
        expect(unreadable).toEqual([]);
        const planned = reads.flatMap((read) => read.items.map(({ signal }) => signal.name));
        expect(planned.toSorted()).toEqual(named.map(({ name }) => name).toSorted());
        for (const read of reads) {
          expect(read.count).toBeLessThanOrEqual(registersPerReadMax);
          let end = read.address;
          for (const item of read.items) {
            expect(item.signal).toMatchObject({ table: read.table, pollIntervalMs: read.pollIntervalMs });
            expect(item.address).toBeGreaterThanOrEqual(read.address);
            expect(item.address + item.count).toBeLessThanOrEqual(read.address + read.count);
            expect(item.address - end).toBeLessThanOrEqual(gapRegistersMax);
            end = Math.max(end, item.address + item.count);
          }
          const alone = read.items.every(({ address, count }) => address === read.address && count === read.count);
          expect(alone || !avoided.some((range) => overlap(range, read))).toBe(true);
        }
      },
    ),
    { numRuns: 300 },
  );
});
