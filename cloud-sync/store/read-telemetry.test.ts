import fc from "fast-check";
import { expect, test } from "vitest";
import { anyEvents, FUZZ_SEED } from "../../test/support/any-events.ts";
import { decodeBlock } from "../contract/block/block.ts";
import { encodeBlock } from "../contract/block/block-builder.ts";
import type { NewDocument, StoredDocument } from "./event-store.ts";
import { readTelemetryDocument } from "./read-telemetry.ts";
import { rangesOf } from "./seq-ranges.ts";
import { blockDocument, eventsDocument, rollupDocument, telemetryDocumentId } from "./write-telemetry.ts";

const origin = { factoryId: "redmond", deviceId: "box-1", enqueuedMs: 1_780_000_000_123 };
const noHash = new Uint8Array(16);
const stored = (document: NewDocument): StoredDocument => ({
  ...document,
  fields: JSON.parse(JSON.stringify(document.fields)),
  partition: { stream: "m", part: "" },
  etag: "1",
  storedMs: 0,
});

test("a block gives back the events that count, and its fields count them", () => {
  fc.assert(
    fc.property(anyEvents, fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }), (events, flags) => {
      const bytes = encodeBlock(events, noHash);
      const counting = events.filter((_, i) => i === 0 || flags[i]);
      const admitted = rangesOf(counting.map(({ seq }) => seq));
      const document = blockDocument(bytes, decodeBlock(bytes), origin, admitted);
      const read = readTelemetryDocument(stored(document));
      expect(read.events()).toEqual(counting);
      expect(read.rareEvents()).toEqual(counting.filter(({ type }) => type !== "telemetry"));
      expect(events.filter((_, i) => read.counts?.(i) ?? true)).toEqual(counting);
      const samples = counting.flatMap((event) => (event.type === "telemetry" ? event.data.samples : []));
      const times = counting.map(({ timeMs }) => timeMs);
      expect(read.fields).toMatchObject({
        firstSeq: counting[0]?.seq,
        lastSeq: counting.at(-1)?.seq,
        events: counting.length,
        samples: samples.length,
        fromMs: Math.min(...times) + 0,
        toMs: Math.max(...times) + 0,
      });
    }),
    { numRuns: 60, seed: FUZZ_SEED },
  );
});

test("events come back as they were, to the last bit", () => {
  fc.assert(
    fc.property(anyEvents, (events) => {
      const read = readTelemetryDocument(stored(eventsDocument(events, origin)));
      expect(read.events()).toEqual(events);
      expect(read.counts).toBeUndefined();
    }),
    { numRuns: 60, seed: FUZZ_SEED },
  );
});

test("a roll-up comes back", () => {
  const part = {
    epoch: "e",
    machineId: "m",
    firstSeq: 5,
    lastSeq: 9,
    firstOffset: 50,
    lastOffset: 90,
    samples: 12,
    names: ["a"],
    aggregates: undefined,
  };
  const document = rollupDocument(part, origin);
  expect(document.id).toBe("rollup-0000000000000005");
  const read = readTelemetryDocument(stored(document));
  expect(read.rollup).toMatchObject(part);
  expect(read.rollup?.content()).toEqual({ minutes: new Map(), counted: 0, uncounted: 12 });
  expect(read.events()).toEqual([]);
});

test("ids are in the order of seq", () => {
  const seqs = [0, 9, 10, 262_144, 2 ** 53 - 1];
  expect(seqs.map((seq) => telemetryDocumentId("block", seq)).toSorted()).toEqual(
    seqs.map((seq) => telemetryDocumentId("block", seq)),
  );
});

test.each<[string, Partial<StoredDocument>]>([
  ["another kind", { kind: "note" }],
  ["no fields", { fields: {} }],
  ["a range backwards", { fields: { admitted: [[3, 2]] } }],
  ["another machine's body", { fields: { machineId: "other" } }],
  ["no body", { body: new Uint8Array() }],
])("%s is malformed", (_, changed) => {
  const event = { epoch: "e", machineId: "m", seq: 1, offset: 1, entityId: "x", timeMs: 5 } as const;
  const bytes = encodeBlock([{ ...event, type: "state", data: { state: "idle" } }], noHash);
  const document = stored(blockDocument(bytes, decodeBlock(bytes), origin));
  const fields = changed.fields === undefined ? document.fields : { ...document.fields, ...changed.fields };
  const isEmpty = changed.fields !== undefined && Object.keys(changed.fields).length === 0;
  expect(() => readTelemetryDocument({ ...document, ...changed, fields: isEmpty ? {} : fields }).rareEvents()).toThrow(
    /FrameError|document|block/,
  );
});
