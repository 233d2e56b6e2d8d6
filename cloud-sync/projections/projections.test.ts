import fc from "fast-check";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FUZZ_SEED } from "../../test/support/any-events.ts";
import { uniform } from "../../test/support/block-samples.ts";
import { dumpModels } from "../../test/support/projected-dump.ts";
import { type FeedBench, feedBench } from "../../test/support/projected-feed.ts";
import { expected } from "../../test/support/projected-model.ts";
import { anyWorld } from "../../test/support/projected-world.ts";
import { PROJECTION_NAMES } from "./all-projections.ts";
import { rebuildProjection } from "./rebuild.ts";

const RUNS = Number(process.env.TAILSTOCK_FUZZ_RUNS ?? 5);
let bench: FeedBench;
beforeAll(async () => {
  bench = await feedBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

// Goal: the tables say what the events say, whatever order documents come in, however they are cut into batches, and how often they come.
// Method: random streams, cut into documents as ingest does, stored in random order with repetitions while the projections step at random
// and forget what they know at random; then the tables are compared with a model that sees only the events.
test("what is projected depends on the events alone", { timeout: 60_000 }, async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.gen(), fc.integer(), async (draw, seed) => {
      const world = draw(() => anyWorld(`run-${run++}`));
      const next = uniform(seed);
      const { signal } = new AbortController();
      const loops = bench.loops();
      for (let at = 0; at < world.documents.length; ) {
        const size = 1 + Math.floor(next() * 6);
        await bench.put(world.documents.slice(at, at + size));
        at += size;
        const again = world.documents[Math.floor(next() * at)];
        if (again !== undefined && next() < 0.4) await bench.put([again]);
        for (const loop of loops) {
          if (next() < 0.3) await loop.step(signal, next() < 0.5);
          if (next() < 0.05) loop.forget();
        }
      }
      await bench.project(loops);
      const machines = [...new Set(world.events.map(({ machineId }) => machineId))];
      expect(await dumpModels(bench.database, machines)).toEqual(expected(world.events));
    }),
    { numRuns: RUNS, seed: FUZZ_SEED, endOnFailure: true },
  );
});

test("a rebuild gives the same tables", { timeout: 60_000 }, async () => {
  const before = await dumpModels(bench.database);
  for (const name of PROJECTION_NAMES) {
    const { database, store, clock } = bench;
    const { signal } = new AbortController();
    const options = { database, store, clock, signal, logger: pino({ level: "silent" }) };
    const documents = await rebuildProjection(name, options);
    if (name !== "metadata") expect(documents).toBeGreaterThan(0);
  }
  expect(await dumpModels(bench.database)).toEqual(before);
  expect(before.latest.length).toBeGreaterThan(0);
});
