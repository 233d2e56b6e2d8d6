import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import type { JsonObject, JsonValue } from "../../contract/event.ts";
import { mergePatch, patchBetween } from "./merge-patch.ts";
import { bounded, REPORTED_BYTES_MAX, TwinReporter } from "./reporter.ts";

/** A hub that keeps what is reported, and a reporter of facts that the test sets. */
function reporting() {
  const clock = new ManualClock();
  const at = {
    session: 1 as number | undefined,
    steady: { version: "1" } as JsonObject,
    moving: { backlog: 5 } as JsonObject,
  };
  const patches: JsonObject[] = [];
  let refuse: EdgeError | undefined;
  let hub: JsonObject = { tailstock: { lastError: { code: "OF_AN_EARLIER_RUN" } } };
  const reporter = new TwinReporter({
    facts: async () => ({ steady: at.steady, moving: at.moving }),
    session: () => at.session,
    report: async (patch) => {
      if (refuse) throw refuse;
      patches.push(patch);
      hub = mergePatch(hub, patch);
    },
    clock,
    failures: new FailureLog(pino({ level: "silent" }), clock, {}),
  });
  const stop = new AbortController();
  const running = reporter.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
    expect(clock.sleeping).toBe(0);
  });
  return {
    clock,
    at,
    patches,
    reporter,
    get hub() {
      return hub;
    },
    set refuse(error: EdgeError | undefined) {
      refuse = error;
    },
  };
}

test("the whole at first, then only what changed; what always moves every few minutes", async () => {
  const twin = reporting();
  await twin.clock.advance(0);
  expect(twin.patches).toEqual([{ tailstock: null }, { tailstock: { version: "1", backlog: 5 } }]);
  expect(twin.hub).toEqual({ tailstock: { version: "1", backlog: 5 } });
  twin.at.moving = { backlog: 6 };
  await twin.clock.advance(60_000);
  expect(twin.patches).toHaveLength(2);
  twin.at.steady = { version: "1", lastError: { code: "UPLINK_LOST" } };
  await twin.clock.advance(10_000);
  expect(twin.patches.slice(2)).toEqual([{ tailstock: { lastError: { code: "UPLINK_LOST" } } }]);
  twin.at.steady = { version: "1", lastError: {} };
  twin.reporter.changed();
  await twin.clock.advance(0);
  expect(twin.patches.slice(3)).toEqual([{ tailstock: { lastError: { code: null } } }]);
  await twin.clock.advance(5 * 60_000);
  expect(twin.patches.slice(4)).toEqual([{ tailstock: { backlog: 6 } }]);
  expect(twin.hub).toEqual({ tailstock: { version: "1", lastError: {}, backlog: 6 } });
});

test("a new session is told the whole again; without one nothing is tried; what is refused is tried a minute later", async () => {
  const twin = reporting();
  twin.at.steady = { version: "1", lastError: { code: "UPLINK_LOST" } };
  await twin.clock.advance(10_000);
  twin.at.session = undefined;
  twin.at.steady = { version: "2", lastError: {} };
  await twin.clock.advance(60_000);
  expect(twin.patches).toHaveLength(3);
  twin.at.session = 2;
  twin.refuse = new EdgeError("UPLINK_REFUSED", "too much");
  await twin.clock.advance(2_000);
  twin.refuse = undefined;
  await twin.clock.advance(30_000);
  expect(twin.patches).toHaveLength(3);
  await twin.clock.advance(30_000);
  expect(twin.patches.slice(3)).toEqual([{ tailstock: { version: "2", lastError: { code: null }, backlog: 5 } }]);
  expect(twin.hub).toEqual({ tailstock: { version: "2", lastError: {}, backlog: 5 } });
});

const json = fc.letrec<{ object: JsonObject; value: JsonValue }>((tie) => ({
  object: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { maxKeys: 3 }),
  value: fc.oneof(
    { depthSize: "small" },
    fc.integer(),
    fc.string(),
    fc.array(fc.integer(), { maxLength: 2 }),
    tie("object"),
  ),
})).object;

describe("merge patches", () => {
  test("the patch between two, merged into the first, gives the second; equal ones need none", () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const patch = patchBetween(before, after);
        expect(mergePatch(before, patch ?? {})).toEqual(after);
        expect(patchBetween(before, structuredClone(before))).toBeUndefined();
      }),
    );
  });

  test("reported properties always fit; what is left out is named, the largest first", () => {
    const large = { version: "1", wishes: { config: "x".repeat(20_000) }, certificates: { a: "y".repeat(15_000) } };
    const kept = bounded(large);
    expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThanOrEqual(REPORTED_BYTES_MAX);
    expect(kept).toEqual({ version: "1", certificates: large.certificates, leftOut: ["wishes"] });
    expect(bounded({ version: "1" })).toEqual({ version: "1" });
  });
});
