import fc from "fast-check";
import { generate } from "mqtt-packet";
import { describe, expect, test } from "vitest";
import { FUZZ_SEED } from "../../../test/support/any-events.ts";
import { FrameSplitter } from "./frame-splitter.ts";

const packets = [
  generate({ cmd: "pingreq" }),
  ...[0, 1, 100, 126, 127, 128, 16_383, 16_384, 20_000].map((bytes) =>
    generate({ cmd: "publish", topic: "t", payload: Buffer.alloc(bytes, bytes), qos: 0, dup: false, retain: false }),
  ),
];

test("gives the packets whole, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...packets), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 60 }),
      fc.boolean(),
      (sent, cuts, byBytes) => {
        const stream = Buffer.concat(sent);
        const splitter = new FrameSplitter(100_000);
        const got: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = byBytes && stream.length < 3_000 ? 1 : (cuts[i % cuts.length] as number);
          got.push(...splitter.split(stream.subarray(at, at + size)));
          at += size;
        }
        expect(got.map((frame) => frame.toString("hex"))).toEqual(sent.map((packet) => packet.toString("hex")));
      },
    ),
    { seed: FUZZ_SEED, numRuns: 200 },
  );
});

describe("refuses, before it keeps anything,", () => {
  test.each([
    ["a packet that is too large", Buffer.of(0x30, 0x80, 0x80, 0x01), /16388 bytes/],
    ["a length of five bytes", Buffer.of(0x30, 0x80, 0x80, 0x80, 0x80, 0x01), /malformed/],
  ])("%s", (_, bytes, message) => {
    expect(() => [...new FrameSplitter(16_000).split(bytes)]).toThrow(message);
  });
});
