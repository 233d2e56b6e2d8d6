import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tagged } from "../../../cloud-sync/contract/frame/tagged-json.ts";
import { readRollup } from "../../../cloud-sync/contract/rollup/rollup.ts";
import { RollupBuilder } from "../../../cloud-sync/contract/rollup/rollup-builder.ts";

// Makes golden roll-ups that are not there yet, and never touches one that is: format version 1 is what these bytes are.
// node test/golden/rollup/make.ts
const TIME_MS = 1_780_000_000_000;
const MINUTE_MS = 60_000;

type Fill = (builder: RollupBuilder) => void;

/** One reading every ten seconds, as machines give them. */
const machine: Fill = (builder) => {
  for (let i = 0; i < 90; i++) {
    const timeMs = TIME_MS + i * 10_000;
    builder.add(0, timeMs, Math.round(2_150 + 40 * Math.sin(i / 7)) / 100, 0);
    builder.add(1, timeMs, Math.fround(Math.round(12_000 + 900 * Math.cos(i / 5)) / 10), 0);
    builder.add(2, timeMs, i < 50 ? 0 : 1, 0);
    if (i % 3 === 0) builder.add(7, timeMs, 1_400 + i, 0x4000_0000);
    builder.add(8, timeMs, 99, 0x8001_0000);
  }
};

/** A signal for each number mode, constant and not, below zero and above. What mode 1 can say, an earlier one says as well. */
const modes: Fill = (builder) => {
  for (let mode = 0; mode < 14; mode++) {
    const numberOf = (k: number): number => {
      const value = k / 10 ** (mode >> 1);
      return mode & 1 ? Math.fround(value) : value;
    };
    for (const [at, ks] of [[-1_234_567, 1_000_001, 5], [7_654_321], [3, 8]].entries())
      for (const k of ks) builder.add(mode, TIME_MS + at * MINUTE_MS, numberOf(k), 0);
  }
};

const doubles: Fill = (builder) => {
  for (const value of [Math.PI, -Math.E, 1.7e308, -1.7e308]) builder.add(0, TIME_MS, value, 0);
  builder.add(0, TIME_MS + MINUTE_MS, -0, 0);
  builder.add(0, TIME_MS + 2 * MINUTE_MS, 5e-324, 0);
  builder.add(0, TIME_MS + 3 * MINUTE_MS, 2 ** 40, 0);
  builder.add(0, TIME_MS + 4 * MINUTE_MS, 2 ** 40 - 1, 0);
  builder.add(0, TIME_MS + 4 * MINUTE_MS, -(2 ** 40) + 1, 0);
  // The same mode again behind a float64: k stands as it is.
  builder.add(1, TIME_MS, 12.5, 0);
  builder.add(1, TIME_MS + MINUTE_MS, Math.SQRT2, 0);
  builder.add(1, TIME_MS + 2 * MINUTE_MS, 13.5, 0);
};

/** A clock that is set back, one that was never set, and minutes far apart. */
const times: Fill = (builder) => {
  for (const [at, minutes] of [0, 1, 2, 0, 1, -40_000_000, 900_000].entries())
    builder.add(0, TIME_MS + minutes * MINUTE_MS, at + 0.5, 0);
  for (let i = 0; i < 1_000; i++) builder.add(3, 59_000 + i, i, 0);
};

/** Numbers of signals with gaps, a cell or two each. */
const sparse: Fill = (builder) => {
  for (let i = 0; i < 300; i++) builder.add(i * i, TIME_MS + (i % 2) * MINUTE_MS, i / 4, 0);
  builder.add(4_000_000, TIME_MS, 1, 0);
};

const fills: Readonly<Record<string, Fill>> = { machine, modes, doubles, times, sparse };

for (const [name, fill] of Object.entries(fills)) {
  const path = join(import.meta.dirname, "v1", `${name}.rollup`);
  if (existsSync(path)) continue;
  const builder = new RollupBuilder();
  fill(builder);
  const bytes = builder.finish() as Buffer;
  const json = [...readRollup(bytes)].map(([signal, cells]) => ({
    signal,
    cells: cells.map(({ minute, count, min, max, mean }) => [minute, count, min, max, mean].map(tagged)),
  }));
  writeFileSync(path, bytes);
  writeFileSync(path.replace(".rollup", ".json"), `${JSON.stringify(json)}\n`);
}
