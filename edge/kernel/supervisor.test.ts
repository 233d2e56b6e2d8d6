import { Writable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ManualClock } from "../../test/support/manual-clock.ts";
import type { Component } from "./component.ts";
import { EdgeError, type ErrorCode } from "./errors.ts";
import { createLogger } from "./logging.ts";
import { Supervisor, type SupervisorOptions } from "./supervisor.ts";

/** What one run of a scripted component does: how long until it is ready, and how long until it fails (never: it waits). */
interface Step {
  readonly readyAfterMs?: number;
  readonly failsAfterMs?: number;
  readonly code?: ErrorCode;
  readonly message?: string;
  readonly ends?: boolean;
  readonly ignoresAbort?: boolean;
}

function world(options: Partial<SupervisorOptions> = {}) {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  const logger = createLogger({ level: "info", pretty: false, destination });
  const supervisor = new Supervisor({
    clock,
    logger,
    backoff: { baseMs: 1_000, maxMs: 8_000, random: () => 1 },
    healthyAfterMs: 10_000,
    ...options,
  });
  const stop = new AbortController();
  const outcome: { error?: unknown; done: boolean } = { done: false };
  const run = (): void => {
    supervisor.run(stop.signal).then(
      () => Object.assign(outcome, { done: true }),
      (error: unknown) => Object.assign(outcome, { done: true, error }),
    );
  };
  return { clock, lines, supervisor, stop, outcome, run };
}

function scripted(
  clock: ManualClock,
  name: string,
  steps: readonly Step[],
): Component & { startsMs: number[]; live: number } {
  const component = {
    name,
    startsMs: [] as number[],
    live: 0,
    async run(signal: AbortSignal, ready: () => void): Promise<void> {
      const step = steps[Math.min(component.startsMs.length, steps.length - 1)] ?? {};
      component.startsMs.push(clock.monotonicMs());
      component.live++;
      try {
        await clock.sleep(step.readyAfterMs ?? 0, signal);
        if (!signal.aborted) ready();
        if (step.ends) return;
        if (step.failsAfterMs !== undefined) {
          await clock.sleep(step.failsAfterMs, signal);
          if (signal.aborted) return;
          const message = step.message ?? `failed at ${clock.monotonicMs()}`;
          throw step.code === undefined ? new Error(message) : new EdgeError(step.code, message, { hint: "look" });
        }
        await clock.sleep(1e12, step.ignoresAbort ? undefined : signal);
      } finally {
        component.live--;
      }
    },
  };
  return component;
}

test("restarts a component with growing pauses, and begins anew after a healthy while", async () => {
  const { clock, supervisor, stop, outcome, run } = world();
  const part = scripted(clock, "driver", [
    { failsAfterMs: 0 },
    { failsAfterMs: 0, code: "DRIVER_NOT_CONNECTED" },
    { failsAfterMs: 0 },
    { failsAfterMs: 0 },
    { failsAfterMs: 0 },
    { failsAfterMs: 20_000 },
    {},
  ]);
  supervisor.supervise(part);
  run();
  await clock.advance(60_000);
  // 1, 2, 4, 8 and again 8 s (the most); then 20 healthy seconds, after which the pause is 1 s.
  expect(part.startsMs).toEqual([0, 1_000, 3_000, 7_000, 15_000, 23_000, 44_000]);
  expect(supervisor.status()).toMatchObject([{ name: "driver", state: "running", restarts: 6 }]);
  stop.abort();
  await clock.advance(0);
  expect(outcome).toEqual({ done: true });
  expect(supervisor.status()[0]?.state).toBe("stopped");
  expect(clock.sleeping, "timers left behind").toBe(0);
});

test.each([
  ["never", "PORT_IN_USE", "failed", 1],
  ["reconnect", "DRIVER_NOT_CONNECTED", "backoff", 3],
  ["backoff", "LOG_FULL", "backoff", 3],
  ["an unknown error", undefined, "backoff", 3],
] as const)("retry %s decides whether a component is started again", async (_retry, code, state, starts) => {
  const { clock, supervisor, outcome, run } = world();
  const part = scripted(clock, "part", [{ failsAfterMs: 0, ...(code === undefined ? {} : { code }) }]);
  supervisor.supervise(part);
  run();
  await clock.advance(4_000);
  expect(part.startsMs).toHaveLength(starts);
  expect(supervisor.status()[0]).toMatchObject({ state, lastError: { code: code ?? null } });
  expect(outcome.done, "a part that is not essential ends nothing").toBe(false);
});

test("an essential component that can't go on ends everything with its error", async () => {
  const { clock, supervisor, outcome, run } = world();
  const other = scripted(clock, "other", [{}]);
  supervisor.supervise(other);
  supervisor.supervise(scripted(clock, "dashboard", [{ failsAfterMs: 300, code: "PORT_IN_USE" }]), { essential: true });
  run();
  await clock.advance(200);
  expect(supervisor.status().map(({ state }) => state)).toEqual(["running", "running"]);
  await clock.advance(200);
  expect(outcome.error).toMatchObject({ code: "PORT_IN_USE" });
  expect(other.live).toBe(0);
  expect(supervisor.status().map(({ state }) => state)).toEqual(["stopped", "failed"]);
});

test("shutdown has a deadline and names those that missed it", async () => {
  const { clock, supervisor, stop, outcome, run } = world({ shutdownDeadlineMs: 5_000 });
  supervisor.supervise(scripted(clock, "polite", [{}]));
  supervisor.supervise(scripted(clock, "deaf-1", [{ ignoresAbort: true }]));
  supervisor.supervise(scripted(clock, "deaf-2", [{ ignoresAbort: true }]));
  run();
  await clock.advance(1_000);
  stop.abort();
  await clock.advance(4_999);
  expect(outcome.done).toBe(false);
  await clock.advance(1);
  expect(outcome.error).toMatchObject({ code: "SHUTDOWN_DEADLINE" });
  expect(String(outcome.error)).toContain("'deaf-1', 'deaf-2'");
  expect(String(outcome.error)).not.toContain("polite");
});

test("a failure is logged when it begins, when it changes and when it has ended, not each time", async () => {
  const { clock, lines, supervisor, run } = world();
  const same = { failsAfterMs: 0, code: "DRIVER_NOT_CONNECTED" } as const;
  supervisor.supervise(scripted(clock, "mill", [same, same, same, { ...same, code: "DRIVER_REFUSED" }, same, {}]));
  run();
  await clock.advance(100_000);
  expect(lines.map(({ msg, err }) => [msg, (err as { code?: string } | undefined)?.code])).toEqual([
    ["failed", "DRIVER_NOT_CONNECTED"],
    ["fails differently", "DRIVER_REFUSED"],
    ["fails differently", "DRIVER_NOT_CONNECTED"],
    ["recovered", undefined],
  ]);
  expect(lines[0]).toMatchObject({ component: "mill", err: { hint: "look" } });
});

test("components come and go while it runs", async () => {
  const { clock, supervisor, stop, outcome, run } = world();
  const first = scripted(clock, "line-a", [{}]);
  run();
  await clock.advance(100);
  const handle = supervisor.supervise(first);
  await clock.advance(100);
  expect(first.live).toBe(1);
  expect(() => supervisor.supervise(scripted(clock, "line-a", [{}]))).toThrow(/supervised already/);
  await handle.stop();
  expect(first.live).toBe(0);
  expect(handle.status().state).toBe("stopped");
  expect(supervisor.status()).toEqual([]);

  const deaf = supervisor.supervise(scripted(clock, "line-a", [{ ignoresAbort: true }]));
  await clock.advance(100);
  const stopped = deaf.stop().catch((error: unknown) => error);
  await clock.advance(5_000);
  expect(await stopped).toMatchObject({ code: "SHUTDOWN_DEADLINE" });

  stop.abort();
  await clock.advance(0);
  expect(outcome).toEqual({ done: true });
  const late = scripted(clock, "late", [{}]);
  expect(supervisor.supervise(late).status().state).toBe("stopped");
  expect(late.startsMs).toEqual([]);
});

test("one that ends by itself has done its work", async () => {
  const { clock, supervisor, run } = world();
  const part = scripted(clock, "import", [{ ends: true }]);
  supervisor.supervise(part);
  run();
  await clock.advance(60_000);
  expect(part.startsMs).toHaveLength(1);
  expect(supervisor.status()[0]?.state).toBe("stopped");
});

test("a signal that is aborted already starts nothing", async () => {
  const { clock, supervisor, stop, outcome, run } = world();
  const part = scripted(clock, "part", [{}]);
  supervisor.supervise(part);
  stop.abort();
  run();
  await clock.advance(0);
  expect(outcome).toEqual({ done: true });
  expect(part.startsMs).toEqual([]);
});

// Goal: whatever components do, at most one run of each is alive, none is alive after a shutdown, and no timer is left.
test("never two runs of one component, nothing alive after the end", async () => {
  const anyStep = fc.record(
    {
      readyAfterMs: fc.integer({ min: 0, max: 3_000 }),
      failsAfterMs: fc.integer({ min: 0, max: 15_000 }),
      code: fc.constantFrom<ErrorCode>("DRIVER_NOT_CONNECTED", "LOG_FULL", "PORT_IN_USE"),
      ends: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(anyStep, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 60_000 }),
      async (scripts, stopAtMs) => {
        const { clock, supervisor, stop, outcome, run } = world();
        const parts = scripts.map((steps, i) => scripted(clock, `part-${i}`, steps));
        for (const part of parts) supervisor.supervise(part);
        run();
        for (let elapsedMs = 0; elapsedMs < stopAtMs; elapsedMs += 6_000) {
          await clock.advance(6_000);
          for (const part of parts) expect(part.live).toBeLessThanOrEqual(1);
        }
        stop.abort();
        await clock.advance(0);
        expect(outcome).toEqual({ done: true });
        expect(parts.map(({ live }) => live)).toEqual(parts.map(() => 0));
        expect(clock.sleeping).toBe(0);
        const starts = parts.map(({ startsMs }) => startsMs.length);
        await clock.advance(60_000);
        expect(parts.map(({ startsMs }) => startsMs.length)).toEqual(starts);
      },
    ),
    { numRuns: 60 },
  );
});
