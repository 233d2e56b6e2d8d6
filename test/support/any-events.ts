import fc from "fast-check";
import { EVENT_TYPES, type StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../cloud-sync/contract/sample.ts";

/** The same in every run, unless a long one is asked for: TAILSTOCK_FUZZ_RUNS=100000 TAILSTOCK_FUZZ_SEED=$RANDOM. */
export const FUZZ_SEED = Number(process.env.TAILSTOCK_FUZZ_SEED ?? 20_260_601);
export const FUZZ_RUNS = Number(process.env.TAILSTOCK_FUZZ_RUNS ?? 300);

/** Streams of anything that an event can hold, for property tests. */
const text = fc.string({ unit: "binary", maxLength: 12 }).map((value) => value.toWellFormed());
const bigint = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.bigInt({ min: -5n, max: 5n }));
const decimal = fc
  .tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.constantFrom(1, 10, 100, 1000))
  .map(([k, d]) => k / d);
const scalar = fc.oneof(
  { weight: 4, arbitrary: decimal },
  { weight: 3, arbitrary: decimal.map(Math.fround) },
  fc.double(),
  fc.constantFrom(
    Number.NaN,
    -0,
    0,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.MAX_VALUE,
    5e-324,
    2 ** 53,
  ),
  bigint,
  fc.boolean(),
  text,
  fc.constant(null),
);
const value: fc.Arbitrary<SampleValue> = fc.oneof(
  { weight: 5, arbitrary: scalar },
  fc.array(scalar, { maxLength: 4 }),
  fc.array(fc.double(), { maxLength: 6 }),
);
/** Columns are usually of one kind: a stream draws a few kinds of values and keeps to them. */
const kinds: readonly fc.Arbitrary<SampleValue>[] = [
  value,
  decimal,
  decimal.map(Math.fround),
  fc.double(),
  fc.float(),
  bigint,
  fc.boolean(),
  text,
  fc.array(decimal, { maxLength: 3 }),
  fc.oneof({ weight: 20, arbitrary: decimal }, fc.constant(null)),
  fc.integer({ min: 0, max: 30 }).map((k) => k * 0.1),
];
const nearMs = fc.oneof(
  fc.integer({ min: 1_779_999_999_000, max: 1_780_000_001_000 }),
  fc.integer({ min: 0, max: 4_000 }).map((k) => 1_780_000_000_000 + k / 4),
);
const timeMs = fc.oneof({ weight: 8, arbitrary: nearMs }, fc.double({ noNaN: true, noDefaultInfinity: true }));
const status = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 0xffff_ffff }));

const sample = fc.record({
  signal: fc.constantFrom("spindle.speed", "temperature", "ß", "", "load", "x", "y"),
  draw: fc.nat(1_000_000),
  statusCode: status,
  sourceTimestampMs: fc.option(timeMs),
  serverTimestampMs: fc.option(timeMs),
  receivedTimestampMs: timeMs,
});
const identity = fc.option(fc.constantFrom("e/m/1", "another", ""), { freq: 3, nil: undefined });
const head = fc.record({ timeMs, entityId: identity, causedBy: identity, step: fc.oneof(fc.nat(20), fc.nat(2 ** 40)) });
const telemetry = fc.record({ head, samples: fc.array(sample, { maxLength: 12 }) });
const rare = fc.record({
  head,
  type: fc.constantFrom(...EVENT_TYPES.filter((type) => type !== "telemetry")),
  data: fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true }),
});

export const anyEvents: fc.Arbitrary<StoredEvent[]> = fc
  .record({
    epoch: fc.constantFrom("0198a9c2-7f11-7000-8000-0123456789ab", "epoch", ""),
    machineId: fc.constantFrom("redmond/mill-01", "ü", ""),
    firstSeq: fc.constantFrom(1, 70_000, 2 ** 50),
    kindBySignal: fc.array(fc.nat(kinds.length - 1), { minLength: 7, maxLength: 7 }),
    events: fc.array(fc.oneof({ weight: 5, arbitrary: telemetry }, rare), { minLength: 1, maxLength: 30 }),
    seed: fc.integer(),
  })
  .map(({ epoch, machineId, firstSeq, kindBySignal, events, seed }) => {
    const pools = kindBySignal.map((kind, i) =>
      fc.sample(kinds[kind] as fc.Arbitrary<SampleValue>, { seed: seed + i, numRuns: 40 }),
    );
    const names = ["spindle.speed", "temperature", "ß", "", "load", "x", "y"];
    let offset = 0;
    return events.map((event, i) => {
      offset += event.head.step;
      const seq = firstSeq + i;
      const { entityId, causedBy } = event.head;
      const data =
        "samples" in event
          ? {
              samples: event.samples.map(({ draw, ...rest }) => {
                const pool = pools[names.indexOf(rest.signal)] as SampleValue[];
                return { ...rest, value: pool[draw % pool.length] as SampleValue };
              }),
            }
          : JSON.parse(JSON.stringify(event.data));
      return {
        epoch,
        machineId,
        seq,
        offset,
        type: "samples" in event ? "telemetry" : event.type,
        timeMs: event.head.timeMs,
        entityId: entityId ?? `${epoch}/${machineId}/${seq}`,
        ...(causedBy === undefined ? {} : { causedBy }),
        data,
      } as StoredEvent;
    });
  });
