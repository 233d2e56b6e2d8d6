import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyEvents, FUZZ_RUNS, FUZZ_SEED } from "../../../test/support/any-events.ts";
import { decodeBlock } from "../block/block.ts";
import { BlockBuilder, encodeBlock } from "../block/block-builder.ts";
import type { StoredEvent } from "../event.ts";
import { encodeBundle, type Run } from "./bundle.ts";
import { EVENTS_CONTENT_TYPE, encodeEvents } from "./events-json.ts";
import { encodeFrame, FRAME_BYTES_MAX, FRAME_CONTENT_TYPE } from "./frame.ts";
import { FrameError } from "./frame-error.ts";
import { decodeMessage } from "./message.ts";

const NO_HASH = new Uint8Array(16);
const parameters = { seed: FUZZ_SEED, numRuns: Math.ceil(FUZZ_RUNS / 3) };
const someEvents = anyEvents.filter((events) => events.length > 0);

function received(body: Uint8Array, contentType = FRAME_CONTENT_TYPE): StoredEvent[] {
  const { blocks, events } = decodeMessage({ contentType, body });
  return [...blocks.flatMap(({ block }) => block.events()), ...events];
}

describe("frame", () => {
  test("runs of any machines come back as they were, and so do blocks beside them", () => {
    fc.assert(
      fc.property(fc.array(someEvents, { minLength: 1, maxLength: 4 }), someEvents, (runs, stored) => {
        const bundle = { kind: "bundle", bytes: encodeBundle(runs as unknown as Run[]) } as const;
        const block = { kind: "block", bytes: encodeBlock(stored, NO_HASH) } as const;
        const body = encodeFrame([bundle, block]);
        expect(isDeepStrictEqual(received(body), [...runs.flat(), ...stored])).toBe(true);
        const { blocks } = decodeMessage({ contentType: FRAME_CONTENT_TYPE, body });
        for (const [at, run] of runs.entries()) {
          const own = blocks[at]?.block;
          const alone = encodedAlone(run);
          expect({ ...own?.head, bytes: 0, headBytes: 0 }).toEqual({ ...alone.head, bytes: 0, headBytes: 0 });
          expect(new Set(own?.signals)).toEqual(new Set(alone.signals));
          for (const signal of alone.signals) {
            const { values, isNumeric, ...column } = own?.column(signal) ?? { values: () => [], isNumeric: true };
            const { values: expected, ...more } = alone.column(signal) ?? { values: () => [], isNumeric: true };
            const { isNumeric: isOwn, ...other } = more;
            // Of a run it speaks of all runs.
            expect(isNumeric && !isOwn).toBe(false);
            expect(isDeepStrictEqual(column, other) && isDeepStrictEqual(values(), expected())).toBe(true);
          }
          expect(isDeepStrictEqual(own?.rareEvents(), alone.rareEvents())).toBe(true);
          const from = run.length >> 2;
          const copy = new BlockBuilder(run[0] as StoredEvent);
          own?.copyTo(copy, from, run.length);
          expect(isDeepStrictEqual(decodeBlock(copy.finish(NO_HASH)).events(), run.slice(from))).toBe(true);
        }
      }),
      parameters,
    );
  });

  test("events as JSON come back as they were, in messages of at most the bytes allowed", () => {
    fc.assert(
      fc.property(someEvents, fc.integer({ min: 60, max: 4_000 }), (events, bytesMax) => {
        const { messages, tooLarge } = encodeEvents(events, bytesMax, "redmond");
        for (const { body } of messages) expect(body.length).toBeLessThanOrEqual(bytesMax);
        const back = messages.flatMap(({ body }) => received(body, EVENTS_CONTENT_TYPE));
        const sent = events.filter((event) => !tooLarge.includes(event));
        expect(isDeepStrictEqual(back, sent)).toBe(true);
      }),
      parameters,
    );
  });

  test("altered or cut bytes are refused as such, or mean what they meant", () => {
    const damage = fc.record({ at: fc.nat(1_000_000), bit: fc.nat(7), cut: fc.boolean() });
    fc.assert(
      fc.property(someEvents, damage, (events, { at, bit, cut }) => {
        const body = encodeFrame([{ kind: "bundle", bytes: encodeBundle([events as unknown as Run]) }]);
        const place = at % body.length;
        const damaged = cut ? body.subarray(0, place) : Buffer.from(body);
        if (!cut) damaged[place] = (damaged[place] as number) ^ (1 << bit);
        expect(() => received(damaged)).toThrow(FrameError);
      }),
      parameters,
    );
  });

  test("any bytes with true checksums are refused as a FrameError or a BlockError, never otherwise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => received(encodeFrame([{ kind: "bundle", bytes }]))).toThrow(FrameError);
        expect(() => received(bytes, EVENTS_CONTENT_TYPE)).toThrow(FrameError);
      }),
      parameters,
    );
  });

  test("more than a message holds is refused, so is another content type", () => {
    const bytes = new Uint8Array(FRAME_BYTES_MAX);
    expect(() => encodeFrame([{ kind: "bundle", bytes }])).toThrow(expect.objectContaining({ code: "limit" }));
    const body = encodeFrame([]);
    expect(() => received(body, "text/plain")).toThrow(expect.objectContaining({ code: "version" }));
  });
});

function encodedAlone(run: readonly StoredEvent[]) {
  const body = encodeFrame([{ kind: "block", bytes: encodeBlock(run, NO_HASH) }]);
  const [received] = decodeMessage({ contentType: FRAME_CONTENT_TYPE, body }).blocks;
  if (received === undefined) throw new Error("no block");
  return received.block;
}
