import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyEvents } from "../../../test/support/any-events.ts";
import { polledFactory } from "../../../test/support/block-samples.ts";
import { decodeBlock } from "./block.ts";
import { encodeBlock } from "./block-builder.ts";

const NO_HASH = new Uint8Array(16);

// Goal: a block gives back every event that went in, bit for bit.
// Method: streams of anything that the types allow; compared by Object.is on each number.
test("whatever an event can hold comes back", () => {
  fc.assert(
    fc.property(anyEvents, (events) => {
      const decoded = decodeBlock(encodeBlock(events, NO_HASH)).events();
      if (!isDeepStrictEqual(decoded, events)) expect(decoded).toEqual(events);
    }),
    { numRuns: Number(process.env.TAILSTOCK_FUZZ_RUNS ?? 400) },
  );
});

test("the simulated factory comes back, at less than 0.8 bytes a reading", () => {
  for (const events of polledFactory(120)) {
    const block = encodeBlock(events, NO_HASH);
    expect(isDeepStrictEqual(decodeBlock(block).events(), events)).toBe(true);
    const samples = events.reduce(
      (sum, event) => sum + (event.type === "telemetry" ? event.data.samples.length : 0),
      0,
    );
    expect(block.length / samples).toBeLessThan(0.8);
  }
});
