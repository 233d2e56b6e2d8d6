import fc from "fast-check";
import { expect, test } from "vitest";
import { FUZZ_SEED } from "../../test/support/any-events.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { Pace } from "./pace.ts";

const never = new AbortController().signal;

test("over any time no more goes than the rate gives, but for what is under way and what is urgent", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1_000, max: 1_000_000 }),
      fc.array(fc.record({ share: fc.double({ min: 0.01, max: 2, noNaN: true }), fresh: fc.boolean() }), {
        minLength: 3,
        maxLength: 12,
      }),
      async (rate, frames) => {
        const clock = new ManualClock();
        const pace = new Pace(clock, rate);
        let sent = 0;
        let largest = 0;
        const all = (async () => {
          for (const { share, fresh } of frames) {
            const bytes = Math.ceil(rate * share);
            await pace.take(bytes, fresh ? "fresh" : "backlog", never);
            sent += bytes;
            largest = Math.max(largest, bytes);
            const seconds = clock.monotonicMs() / 1_000;
            expect(sent).toBeLessThanOrEqual(rate * (seconds + 1 + 2) + largest + 1);
          }
        })();
        await clock.advance(60_000);
        await all;
        // Nor does it dawdle: the last frame waited only for those before it.
        expect(sent).toBeGreaterThan(0);
      },
    ),
    { seed: FUZZ_SEED, numRuns: 40 },
  );
});

test("what is fresh goes before a backlog", async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 10_000);
  await pace.take(20_000, "backlog", never);
  let backlogMs = Number.NaN;
  void pace.take(5_000, "backlog", never).then(() => {
    backlogMs = clock.monotonicMs();
  });
  await pace.take(5_000, "fresh", never);
  expect(clock.monotonicMs()).toBe(0);
  await clock.advance(5_000);
  expect(backlogMs).toBeGreaterThanOrEqual(2_500);
});

test("a hub that throttles is sent fewer messages, then more again", async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, undefined);
  const countIn = async (durationMs: number): Promise<number> => {
    let count = 0;
    const stop = new AbortController();
    const all = (async () => {
      while (await pace.take(1, "backlog", stop.signal)) {
        count++;
        await clock.sleep(1);
      }
    })();
    await clock.advance(durationMs);
    stop.abort();
    await clock.advance(1);
    await all;
    return count;
  };
  pace.throttled();
  const first = await countIn(1_000);
  pace.throttled();
  pace.throttled();
  const slow = await countIn(1_000);
  await clock.advance(20_000);
  const later = await countIn(1_000);
  expect(slow).toBeLessThan(first);
  expect(later).toBeGreaterThan(slow);
});

test("frames of a backlog are small on a slow line", () => {
  const clock = new ManualClock();
  expect(new Pace(clock, 50_000).backlogBodyBytesMax).toBeLessThanOrEqual(50_000);
  expect(new Pace(clock, undefined).backlogBodyBytesMax).toBeGreaterThan(250_000);
});
