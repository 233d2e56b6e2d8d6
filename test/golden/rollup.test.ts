import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { tagged } from "../../cloud-sync/contract/frame/tagged-json.ts";
import { readRollup } from "../../cloud-sync/contract/rollup/rollup.ts";

// Goal: aggregates that were ever stored or sent can be read for ever, and by whoever has nothing but the specification.
// Method: roll-ups made once, whose bytes are the format; beside our decoder a second one, written from rollup.ts' comment alone.
const folder = join(import.meta.dirname, "rollup", "v1");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".rollup"))
  .map((file) => file.replace(".rollup", ""));

interface GoldenSignal {
  readonly signal: number;
  /** minute, count, min, max, mean */
  readonly cells: readonly (readonly unknown[])[];
}

test("the golden roll-ups are all there", () => {
  expect(names.sort()).toEqual(["doubles", "machine", "modes", "sparse", "times"]);
});

test.each(names)("%s gives what it gave when it was made", (name) => {
  const bytes = readFileSync(join(folder, `${name}.rollup`));
  const json = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as GoldenSignal[];
  const said = [...readRollup(bytes)].map(([signal, cells]) => ({
    signal,
    cells: cells.map(({ minute, count, min, max, mean }) => [minute, count, min, max, mean].map(tagged)),
  }));
  expect(said).toEqual(json);
  expect(bySpecification(bytes)).toEqual(json);
  for (const { signal } of json) expect(readRollup(bytes, signal).get(signal)).toEqual(readRollup(bytes).get(signal));
});

function bySpecification(bytes: Buffer): GoldenSignal[] {
  const raw = zstdDecompressSync(bytes);
  let [at, valueAt] = [1, 0];
  const varint = (start: number): [bigint, number] => {
    let [value, shift, i] = [0n, 0n, start];
    for (; ; i++, shift += 7n) {
      value |= BigInt((raw[i] as number) & 0x7f) << shift;
      if ((raw[i] as number) < 0x80) return [value, i + 1];
    }
  };
  const unsigned = (): number => {
    const [value, end] = varint(at);
    at = end;
    return Number(value);
  };
  const signed = (n: number): number => (n % 2 === 0 ? n / 2 : -(n + 1) / 2);
  const unsignedValue = (): number => {
    const [value, end] = varint(valueAt);
    valueAt = end;
    return Number(value);
  };
  const double = (): number => {
    valueAt += 8;
    return raw.readDoubleLE(valueAt - 8);
  };
  expect(raw[0]).toBe(1);
  const shapeBytes = unsigned();
  valueAt = at + shapeBytes;
  const shapeEnd = valueAt;
  const out: GoldenSignal[] = [];
  let [signal, minute, count] = [-1, 0, 0];
  for (let signals = unsigned(); signals > 0; signals--) {
    signal += unsigned() + 1;
    const cells: unknown[][] = [];
    let before = { mode: -1, k: 0 };
    for (let left = unsigned(); left > 0; left--) {
      minute += signed(unsigned());
      count += signed(unsigned());
      const form = raw[at++] as number;
      const mode = (form & 15) - 1;
      const isConstant = (form & 16) !== 0;
      let [min, max] = [0, 0];
      if (mode === -1) {
        min = double();
        max = isConstant ? min : double();
        before = { mode, k: 0 };
      } else {
        const numberOf = (k: number): number =>
          mode % 2 === 1 ? Math.fround(k / 10 ** Math.floor(mode / 2)) : k / 10 ** Math.floor(mode / 2);
        const k = signed(unsignedValue()) + (before.mode === mode ? before.k : 0);
        min = numberOf(k);
        max = isConstant ? min : numberOf(k + unsignedValue());
        before = { mode, k };
      }
      let mean = min;
      if (!isConstant) {
        const place = raw.readUInt16LE(valueAt) / 65_535;
        valueAt += 2;
        mean = Math.min(max, Math.max(min, min * (1 - place) + max * place));
      }
      cells.push([minute, count, min, max, mean].map(tagged));
    }
    out.push({ signal, cells });
  }
  expect([at, valueAt]).toEqual([shapeEnd, raw.length]);
  return out;
}
