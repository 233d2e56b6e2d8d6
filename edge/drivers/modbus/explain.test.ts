import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startModbusServer } from "../../../test/support/modbus-server.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { bytesOf, cellCountOf } from "./decode.ts";
import { explainRegisters } from "./explain.ts";
import { readRegisters } from "./probe.ts";

function float32Words(value: number): [number, number] {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
}

const anyRegister = fc.nat(0xffff);

const ORDERS = [
  { order: "ABCD", bytesSwapped: false, wordsSwapped: false },
  { order: "CDAB", bytesSwapped: false, wordsSwapped: true },
  { order: "BADC", bytesSwapped: true, wordsSwapped: false },
  { order: "DCBA", bytesSwapped: true, wordsSwapped: true },
] as const;

function encoded<V>(type: string, lengthBytes: number, values: fc.Arbitrary<V>, write: (b: Buffer, v: V) => void) {
  return values.map((value) => {
    const bytes = Buffer.alloc(lengthBytes);
    write(bytes, value);
    return { type, bytes, value };
  });
}

const FINITE = { noNaN: true, noDefaultInfinity: true } as const;
// Adding 0 makes the negative zero, which no display shows, a plain one.
const anyValue = fc.oneof(
  encoded("uint8", 2, fc.nat(0xff), (bytes, value) => bytes.writeUInt8(value, 1)),
  encoded("int8", 2, fc.integer({ min: -0x80, max: 0x7f }), (bytes, value) => bytes.writeInt8(value, 1)),
  encoded("uint16", 2, fc.nat(0xffff), (bytes, value) => bytes.writeUInt16BE(value)),
  encoded("int16", 2, fc.integer({ min: -0x8000, max: 0x7fff }), (bytes, value) => bytes.writeInt16BE(value)),
  encoded("uint32", 4, fc.integer({ min: 0, max: 0xffffffff }), (bytes, value) => bytes.writeUInt32BE(value)),
  encoded("int32", 4, fc.integer(), (bytes, value) => bytes.writeInt32BE(value)),
  encoded(
    "float32",
    4,
    fc.float(FINITE).map((value) => value + 0),
    (bytes, value) => bytes.writeFloatBE(value),
  ),
  encoded("uint64", 8, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (bytes, value) => bytes.writeBigUInt64BE(value)),
  encoded("int64", 8, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (bytes, value) =>
    bytes.writeBigInt64BE(value),
  ),
  encoded(
    "float64",
    8,
    fc.double(FINITE).map((value) => value + 0),
    (bytes, value) => bytes.writeDoubleBE(value),
  ),
);

describe("P20 decode explorer", () => {
  test("P20 finds the word order of a float from what the display shows", () => {
    const [high, low] = float32Words(83.46);
    expect(explainRegisters([high, low], "83.5")[0]).toMatchObject({ type: "float32", order: "ABCD", matches: true });
    expect(explainRegisters([low, high], "83.5")[0]).toMatchObject({ type: "float32", order: "CDAB", matches: true });
    const swapped = [high, low].map((word) => ((word & 0xff) << 8) | (word >> 8));
    expect(explainRegisters(swapped, "83.5")[0]).toMatchObject({ type: "float32", order: "BADC", matches: true });
    expect(explainRegisters(swapped.toReversed(), 83.46)[0]).toMatchObject({ type: "float32", order: "DCBA" });
  });

  test("P20 finds scale and sign", () => {
    expect(explainRegisters([2_153], "215.3")[0]).toMatchObject({ type: "uint16", scale: 0.1, value: 215.3 });
    expect(explainRegisters([0xfff6], "-10")[0]).toMatchObject({ type: "int16", scale: 1, value: -10 });
    expect(explainRegisters([0x0001, 0x86a3], 100_003)[0]).toMatchObject({ type: "uint32", order: "ABCD" });
    expect(explainRegisters([0x86a3, 0x0001], 100_003)[0]).toMatchObject({ type: "uint32", order: "CDAB" });
  });

  test("P20 finds an address that is one off on either side", () => {
    const [high, low] = float32Words(1_450.25);
    const around = [17, 9_000, high, low, 23];
    for (const [asked, hint] of [
      [41, "1450.25"],
      [43, "1450.3"],
      [42, "1450"],
    ] as const) {
      const best = explainRegisters(around, hint, { startAddress: 40, address: asked })[0];
      expect(best).toMatchObject({ address: 42, type: "float32", order: "ABCD", matches: true });
    }
  });

  // Goal: whatever lies before and after a value, the right reading of it is found where it begins.
  // Method: fast-check encodes a value of each type in each order between strange registers.
  test("P20 finds a value of each type and order among other registers", () => {
    fc.assert(
      fc.property(
        anyValue,
        fc.constantFrom(...ORDERS),
        fc.array(anyRegister, { maxLength: 5 }),
        fc.array(anyRegister, { maxLength: 5 }),
        fc.nat(1_000),
        ({ type, bytes, value }, { order, bytesSwapped, wordsSwapped }, before, after, startAddress) => {
          const words = Array.from({ length: bytes.length / 2 }, (_, i) =>
            bytesSwapped ? bytes.readUInt16LE(i * 2) : bytes.readUInt16BE(i * 2),
          );
          if (wordsSwapped) words.reverse();
          const address = startAddress + before.length;
          const registers = [...before, ...words, ...after];
          const found = explainRegisters(registers, String(value), { startAddress, address }).find(
            (each) =>
              each.address === address &&
              each.type === type &&
              each.scale === 1 &&
              each.order === (words.length > 1 ? order : bytesSwapped ? "BA" : "AB"),
          );
          expect(found).toMatchObject({ value, matches: true });
          expect(found?.score).toBeGreaterThan(0.8);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("texts and bits; nothing fits is said so", () => {
    const words = Buffer.from("SN-4711\0").swap16();
    const registers = [0, 2, 4, 6].map((at) => words.readUInt16BE(at));
    expect(explainRegisters(registers, "SN-4711")[0]).toMatchObject({ type: "string", order: "BA", value: "SN-4711" });
    expect(explainRegisters([0b1000], true)[0]).toMatchObject({ type: "boolean", bit: 3, matches: true });
    expect(explainRegisters([5, 9], 77_123.4).some(({ matches }) => matches)).toBe(false);
  });

  test("what it proposes decodes to what it shows", () => {
    for (const { type, byteOrder, wordOrder, address } of explainRegisters([0x4148, 0xf5c3, 3, 4])) {
      const count = type === "string" ? 4 : cellCountOf({ table: "holding", type, lengthBytes: null });
      expect(
        bytesOf([0x4148, 0xf5c3, 3, 4].slice(address, address + count), { type, byteOrder, wordOrder }).length,
      ).toBe(Math.min(count, 4 - address) * 2);
    }
  });
});

describe("probe", () => {
  test("reads all four tables straight from a device", async () => {
    await using server = await startModbusServer("tcp", (request) => {
      const isBits = request.functionCode <= 2;
      const words = Array.from({ length: request.count }, (_, i) =>
        isBits ? (request.address + i) % 2 : request.functionCode * 1_000 + request.address + i,
      );
      request.send(request.data(words));
    });
    const transport = { kind: "tcp", host: "127.0.0.1", port: server.port } as const;
    const read = (table: "coil" | "discrete" | "input" | "holding", start: number, count: number) =>
      readRegisters(transport, { unitId: 9, table, start, count });
    expect(await read("holding", 5, 3)).toEqual([3_005, 3_006, 3_007]);
    expect(await read("input", 5, 2)).toEqual([4_005, 4_006]);
    expect(await read("coil", 5, 3)).toEqual([1, 0, 1]);
    expect(await read("discrete", 4, 9)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0]);
    expect(server.requests.map(({ functionCode }) => functionCode)).toEqual([3, 4, 1, 2]);
    expect(server.requests.every(({ unitId }) => unitId === 9)).toBe(true);
  });

  test("says what a refusal, silence and an impossible request mean", async () => {
    await using server = await startModbusServer("tcp", (request) => {
      if (request.unitId === 1) request.send(request.exception(2));
    });
    const transport = { kind: "tcp", host: "127.0.0.1", port: server.port } as const;
    const fault = (unitId: number, count: number) =>
      readRegisters(transport, { unitId, table: "holding", start: 0, count }, { timeoutMs: 60 }).catch(
        (e: unknown) => e,
      );
    expect(await fault(1, 1)).toMatchObject({ code: "DRIVER_REFUSED", statusCode: StatusCode.BadNodeIdUnknown });
    expect(await fault(2, 1)).toMatchObject({ code: "DRIVER_NOT_CONNECTED", statusCode: StatusCode.BadTimeout });
    expect(await fault(1, 126)).toMatchObject({ code: "USAGE" });
    expect(await fault(1, 126)).toBeInstanceOf(EdgeError);
  });
});
