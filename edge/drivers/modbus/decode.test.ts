import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteOrder } from "../../kernel/config/model.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { decodeCells, type Layout, type ModbusType } from "./decode.ts";

const BASE: Layout = {
  table: "holding",
  type: "uint16",
  bit: null,
  lengthBytes: null,
  byteOrder: "big",
  wordOrder: "big",
  scale: 1,
  offset: 0,
};
const decode = (words: readonly number[], other: Partial<Layout>) => decodeCells(words, { ...BASE, ...other });

/** A device's side of the matter, written from the letters: where in the value does each arriving byte belong? */
function encode(bytes: Buffer, byteOrder: ByteOrder, wordOrder: ByteOrder): number[] {
  const words = bytes.length / 2;
  return Array.from({ length: words }, (_, at) => {
    const word = wordOrder === "big" ? at : words - 1 - at;
    const [first = 0, second = 0] = [bytes[word * 2], bytes[word * 2 + 1]];
    return byteOrder === "big" ? first * 256 + second : second * 256 + first;
  });
}

const ANY_ORDER = fc.record({
  byteOrder: fc.constantFrom<ByteOrder[]>("big", "little"),
  wordOrder: fc.constantFrom<ByteOrder[]>("big", "little"),
});
const WRITERS: readonly [ModbusType, number, fc.Arbitrary<number | bigint>, (bytes: Buffer, value: never) => void][] = [
  ["int16", 2, fc.integer({ min: -32_768, max: 32_767 }), (b, v) => b.writeInt16BE(v)],
  ["uint16", 2, fc.integer({ min: 0, max: 65_535 }), (b, v) => b.writeUInt16BE(v)],
  ["int8", 2, fc.integer({ min: -128, max: 127 }), (b, v) => b.writeInt8(v, 1)],
  ["uint8", 2, fc.integer({ min: 0, max: 255 }), (b, v) => b.writeUInt8(v, 1)],
  ["int32", 4, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (b, v) => b.writeInt32BE(v)],
  ["uint32", 4, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (b, v) => b.writeUInt32BE(v)],
  ["float32", 4, fc.float({ noNaN: true, noDefaultInfinity: true }), (b, v) => b.writeFloatBE(v)],
  ["int64", 8, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (b, v) => b.writeBigInt64BE(v)],
  ["uint64", 8, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (b, v) => b.writeBigUInt64BE(v)],
  ["float64", 8, fc.double({ noNaN: true, noDefaultInfinity: true }), (b, v) => b.writeDoubleBE(v)],
];

describe("decode", () => {
  test.each(WRITERS)("%s comes back from every byte and word order", (type, lengthBytes, values, write) => {
    fc.assert(
      fc.property(values, ANY_ORDER, (value, order) => {
        const bytes = Buffer.alloc(lengthBytes);
        write(bytes, value as never);
        const { value: decoded, statusCode } = decode(encode(bytes, order.byteOrder, order.wordOrder), {
          type,
          ...order,
        });
        // Adding the offset 0 turns -0 into 0; nothing measures the difference.
        expect(statusCode).toBe(StatusCode.Good);
        expect(decoded).toBe(Object.is(value, -0) ? 0 : value);
      }),
      { numRuns: 200 },
    );
  });

  test("P20 the letters mean what devices' manuals mean", () => {
    const [A, B, C, D] = [0x42, 0xa6, 0xeb, 0x85]; // 83.46 as float32
    const word = (first: number, second: number) => first * 256 + second;
    const close = (words: number[], byteOrder: ByteOrder, wordOrder: ByteOrder) =>
      expect(decode(words, { type: "float32", byteOrder, wordOrder }).value).toBeCloseTo(83.46, 4);
    close([word(A, B), word(C, D)], "big", "big");
    close([word(C, D), word(A, B)], "big", "little");
    close([word(B, A), word(D, C)], "little", "big");
    close([word(D, C), word(B, A)], "little", "little");
  });

  test("scale and offset, without the dust of binary fractions", () => {
    expect(decode([123], { scale: 0.1 }).value).toBe(12.3);
    expect(decode([0xffff], { type: "int16", scale: 0.5, offset: -10 }).value).toBe(-10.5);
    expect(decode([0, 0, 0, 500], { type: "uint64", scale: 0.01 }).value).toBe(5);
    expect(decode([0x4148, 0], { type: "float32", scale: 2, offset: 1 }).value).toBe(26);
  });

  test("bits and booleans", () => {
    expect(decode([0b1000], { type: "boolean", bit: 3 }).value).toBe(true);
    expect(decode([0b1000], { type: "boolean", bit: 2 }).value).toBe(false);
    expect(decode([0x0100], { type: "boolean", bit: 0, byteOrder: "little" }).value).toBe(true);
    expect(decode([0x8000], { type: "boolean" }).value).toBe(true);
    expect(decode([0], { type: "boolean" }).value).toBe(false);
    expect(decode([1], { type: "boolean", table: "coil" }).value).toBe(true);
  });

  test("strings: padding, byte order, odd lengths, other alphabets", () => {
    const words = (text: Buffer) => Array.from({ length: text.length / 2 }, (_, i) => text.readUInt16BE(i * 2));
    const text = (bytes: Buffer, lengthBytes: number, byteOrder: ByteOrder = "big") =>
      decode(words(bytes), { type: "string", lengthBytes, byteOrder }).value;
    expect(text(Buffer.from("MILL-07\0\0\0"), 10)).toBe("MILL-07");
    expect(text(Buffer.from("PART 12   "), 10)).toBe("PART 12");
    expect(text(Buffer.from("ABCDEF"), 5)).toBe("ABCDE");
    expect(text(Buffer.from("ABCDEF").swap16(), 6, "little")).toBe("ABCDEF");
    expect(text(Buffer.from("Öl°\0", "utf8"), 6)).toBe("Öl°");
    expect(text(Buffer.from([0xd6, 0x6c]), 2)).toBe("Öl");
  });

  test("no value where there is none", () => {
    expect(decode([0x7fc0, 0], { type: "float32" })).toEqual({ value: null, statusCode: StatusCode.BadOutOfRange });
    expect(decode([0x7f80, 0], { type: "float32" }).value).toBeNull();
    expect(decode([1], { type: "uint32" })).toEqual({ value: null, statusCode: StatusCode.BadDecodingError });
  });
});
