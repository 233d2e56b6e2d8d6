import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Sample } from "../../cloud-sync/contract/sample.ts";
import { DISPOSE_MS_MAX, type Driver } from "../../edge/drivers/driver.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { severityOf } from "../../edge/kernel/status-code.ts";
import { pause, until, watch } from "./watch.ts";

/** A real server on a loopback socket, with numeric signals of one machine. */
export interface ContractServer<Binding> extends AsyncDisposable {
  set(signal: string, value: number): void;
  /** From here on the server refuses this one signal (no such node, illegal register). May be called before `start`. */
  makeUnreadable(signal: string): void;
  /** The server is gone: nobody listens, connections are closed. */
  stop(): Promise<void>;
  /** Back at the same address, with the values and refusals as they were. */
  start(): Promise<void>;
  /** Sockets stay open, but nothing comes through any more, as with a pulled cable. */
  freeze(): void;
  thaw(): void;
  /** Sessions, or sockets when the protocol has no sessions, that the server holds open now. */
  openSessions(): number;
  /** The bindings that read these signals, in a form that `apply` and `createDriver` take. */
  machines(signals: readonly string[]): readonly Binding[];
  /** A driver of this server; not connected. */
  createDriver(machines: readonly Binding[], options?: { readonly pendingSamplesMax?: number }): Driver<Binding>;
}

export interface DriverHarness<Binding> {
  /** Starts a server that holds the given signals. */
  startServer(values: ReadonlyMap<string, number>): Promise<ContractServer<Binding>>;
  /** Sampling or polling interval of every signal, in milliseconds. */
  readonly intervalMs: number;
  /** Whether an unchanged value comes again each interval (polling) or not at all (subscription). */
  readonly delivery: "every-interval" | "on-change";
  /** Whether the protocol carries source and server times. */
  readonly timestamps: "from-server" | "none";
  /** How long a lost link may go unnoticed in this harness's configuration. */
  readonly staleAfterMs: number;
}

const INITIAL: ReadonlyMap<string, number> = new Map([
  ["speed", 1_201],
  ["load", 32],
  ["temperature", 41],
  ["pressure", 707],
]);
const ALL = [...INITIAL.keys()];
const ARRIVAL_MS = 5_000; // generous: the machine that runs the tests is shared
const PENDING_SAMPLES_MAX_IN_TEST = 40;

/** Checks the numbered obligations of edge/drivers/driver.ts against a real server. Call it at the top of a test file. */
export function describeDriverContract<Binding>(name: string, harness: DriverHarness<Binding>): void {
  describe(`driver contract: ${name}`, () => {
    let server: ContractServer<Binding>;
    let driver: Driver<Binding>;
    beforeEach(async () => {
      server = await harness.startServer(INITIAL);
      driver = server.createDriver(server.machines(ALL));
    });
    afterEach(async () => {
      server.thaw();
      await driver[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    });

    test("1a the constructor does nothing: nobody knocks at the server", async () => {
      await pause(200);
      expect(server.openSessions()).toBe(0);
      expect(driver.status().state).toBe("disconnected");
    });

    test("1b connect may be called again after a failure, and then works", async () => {
      await server.stop();
      await expect(connectOnce(driver)).rejects.toBeInstanceOf(EdgeError);
      await expect(connectOnce(driver)).rejects.toBeInstanceOf(EdgeError);
      await server.start();
      await connectOnce(driver);
      await until(() => server.openSessions() > 0, ARRIVAL_MS, "a session on the server");
      expect(driver.status().state).not.toBe("disconnected");
    });

    test("1c the signal ends an attempt, and means nothing after it", async () => {
      const early = new AbortController();
      await driver.connect(early.signal);
      early.abort();
      await using seen = watch(driver);
      await until(() => goodAll(seen.samples, ALL), ARRIVAL_MS, "Good samples although the first signal has aborted");
      expect(seen.faults).toEqual([]);
    });

    test("1d an attempt at a silent server ends when its signal aborts", async () => {
      server.freeze();
      const beganMs = performance.now();
      const attempt = (async () => {
        await driver.connect(AbortSignal.timeout(300));
        // A protocol without a handshake (Modbus) can't tell silence from patience before the first read.
        for await (const batch of driver.samples(AbortSignal.timeout(300))) expect(batch.filter(isGood)).toEqual([]);
      })();
      await attempt.catch((error: unknown) => expect(error).toBeInstanceOf(EdgeError));
      expect(performance.now() - beganMs).toBeLessThan(2_500);
    });

    test("2 a failed connect says what the signals are and what to check", async () => {
      await server.stop();
      const error = await connectOnce(driver).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (!(error instanceof EdgeError)) throw new Error(`expected an EdgeError, got ${String(error)}`);
      expect(["DRIVER_NOT_CONNECTED", "DRIVER_REFUSED"]).toContain(error.code);
      expect(severityOf(error.statusCode ?? 0)).toBe("bad");
      expect(error.hint?.length ?? 0).toBeGreaterThan(10);
      expect(driver.status().state).toBe("disconnected");
    });

    test("3a every signal comes with its own value, and the times as delivered", async () => {
      await using seen = watch(driver);
      const beganMs = Date.now();
      await until(() => goodAll(seen.samples, ALL), ARRIVAL_MS, "a Good sample of every signal");
      const [machineId] = new Set(seen.samples.map((sample) => sample.machineId));
      for (const [signal, value] of INITIAL) {
        const sample = seen.of(signal).find(isGood);
        expect(sample).toMatchObject({ machineId, signal, statusCode: 0 });
        expect(Number(sample?.value)).toBe(value);
        expect(sample?.receivedTimestampMs).toBeGreaterThanOrEqual(beganMs - 50);
        expect(sample?.receivedTimestampMs).toBeLessThanOrEqual(Date.now() + 50);
        if (harness.timestamps === "none") {
          expect(sample).toMatchObject({ sourceTimestampMs: null, serverTimestampMs: null });
        } else {
          expect(sample?.sourceTimestampMs).toBeTypeOf("number");
          expect(sample?.serverTimestampMs).toBeTypeOf("number");
        }
      }
      expect(driver.status()).toMatchObject({ state: "connected", problems: [] });
    });

    test("3b a changed value arrives, and no sample comes twice", async () => {
      await using seen = watch(driver);
      await until(() => goodAll(seen.samples, ALL), ARRIVAL_MS, "a Good sample of every signal");
      for (const value of [33, 34, 35]) {
        server.set("load", value);
        await until(() => Number(seen.latest("load")?.value) === value, ARRIVAL_MS, `load = ${value}`);
      }
      await pause(harness.intervalMs * 4);
      if (harness.delivery === "on-change") {
        expect(seen.of("load").map((sample) => Number(sample.value))).toEqual([32, 33, 34, 35]);
        expect(seen.of("speed")).toHaveLength(1);
      } else {
        expect(seen.of("speed").length).toBeGreaterThan(3);
      }
      expect(repeated(seen.samples)).toEqual([]);
      expect(Number(seen.latest("speed")?.value)).toBe(1_201);
    });

    test("3c samples ends quietly and soon when its signal aborts", async () => {
      const seen = watch(driver);
      await until(() => goodAll(seen.samples, ALL), ARRIVAL_MS, "a Good sample of every signal");
      const beganMs = performance.now();
      await seen.stop();
      expect(performance.now() - beganMs).toBeLessThan(1_000);
      expect(seen.faults).toEqual([]);
      const heldSamples = seen.samples.length;
      await pause(harness.intervalMs * 2);
      expect(seen.samples).toHaveLength(heldSamples);
    });

    for (const [how, cut, mend] of [
      ["the server is gone", () => server.stop(), () => server.start()],
      ["the link is frozen", async () => server.freeze(), async () => server.thaw()],
    ] as const) {
      test(`3d ${how}: never silence, and Good samples again when it is back`, async () => {
        await using seen = watch(driver);
        await until(() => goodAll(seen.samples, ALL), ARRIVAL_MS, "a Good sample of every signal");
        const before = seen.samples.length;
        await cut();
        const told = (signal: string) => {
          const latest = seen.samples.slice(before).findLast((sample) => sample.signal === signal);
          return latest !== undefined && !isGood(latest);
        };
        await until(
          () => seen.faults.length > 0 || ALL.every(told),
          harness.staleAfterMs + 1_500,
          "DRIVER_NOT_CONNECTED, or a Bad or Uncertain sample of every signal",
        );
        for (const fault of seen.faults) expect(["DRIVER_NOT_CONNECTED", "DRIVER_REFUSED"]).toContain(fault.code);
        expect(driver.status().state).not.toBe("connected");
        server.set("load", 77);
        await mend();
        const resumed = seen.samples.length;
        await until(
          () => goodAll(seen.samples.slice(resumed), ALL) && Number(seen.latest("load")?.value) === 77,
          15_000,
          "Good samples of every signal after the link was mended",
        );
        expect(driver.status().state).toBe("connected");
        await until(() => server.openSessions() === 1, ARRIVAL_MS, "one session on the server, not a second one");
        expect(repeated(seen.samples)).toEqual([]);
      });
    }

    test("4 a signal that can't be read is Bad with its own status; the others go on", async () => {
      server.makeUnreadable("temperature");
      await using seen = watch(driver);
      const others = ALL.filter((signal) => signal !== "temperature");
      await until(() => goodAll(seen.samples, others), ARRIVAL_MS, "a Good sample of every other signal");
      await until(() => seen.latest("temperature") !== undefined, ARRIVAL_MS, "a sample of the unreadable signal");
      expect(seen.latest("temperature")?.value).toBeNull();
      expect(severityOf(seen.latest("temperature")?.statusCode ?? 0)).toBe("bad");
      await until(() => driver.status().problems.length === 1, ARRIVAL_MS, "one problem in the status");
      const problem = driver.status().problems[0];
      expect(problem).toMatchObject({ signal: "temperature", statusCode: seen.latest("temperature")?.statusCode });
      expect(problem?.hint.length).toBeGreaterThan(10);
      server.set("pressure", 708);
      await until(() => Number(seen.latest("pressure")?.value) === 708, ARRIVAL_MS, "pressure = 708");
      for (const signal of others) expect(seen.of(signal).every(isGood)).toBe(true);
    });

    test("5 apply adds and removes signals and leaves the others alone", async () => {
      driver.apply(server.machines(["speed", "load"]));
      await using seen = watch(driver);
      await until(() => goodAll(seen.samples, ["speed", "load"]), ARRIVAL_MS, "Good samples of speed and load");
      expect(seen.of("temperature")).toEqual([]);
      await pause(harness.intervalMs * 4);

      driver.apply(server.machines(["speed", "temperature"]));
      await until(() => goodAll(seen.samples, ["temperature"]), ARRIVAL_MS, "the added signal");
      await pause(harness.intervalMs); // what was under way for the removed one has arrived by now
      const removedSamples = seen.of("load").length;
      await pause(harness.intervalMs * 4);
      expect(seen.of("load")).toHaveLength(removedSamples);
      expect(seen.of("speed").every(isGood)).toBe(true);
      expect(repeated(seen.samples)).toEqual([]);
      if (harness.delivery === "on-change") {
        expect(seen.of("speed")).toHaveLength(1);
      } else {
        const gapsMs = seen
          .of("speed")
          .slice(1)
          .map((sample, i) => sample.receivedTimestampMs - (seen.of("speed")[i]?.receivedTimestampMs ?? 0));
        expect(Math.max(...gapsMs)).toBeLessThan(harness.intervalMs * 3);
      }
      server.set("speed", 1_202);
      await until(() => Number(seen.latest("speed")?.value) === 1_202, ARRIVAL_MS, "the kept signal still changes");
      expect(seen.connects()).toBe(1);
      expect(server.openSessions()).toBe(1);
    });

    test("6a dispose is legal before connect, twice, and after a failed connect", async () => {
      await driver[Symbol.asyncDispose]();
      await driver[Symbol.asyncDispose]();
      const other = server.createDriver(server.machines(ALL));
      await server.stop();
      await connectOnce(other).catch(() => undefined);
      await other[Symbol.asyncDispose]();
      expect(other.status().state).toBe("disconnected");
    });

    test("6b dispose closes the session on the other side too", async () => {
      const seen = watch(driver);
      await until(() => goodAll(seen.samples, ALL), ARRIVAL_MS, "a Good sample of every signal");
      expect(server.openSessions()).toBe(1);
      await seen.stop();
      await driver[Symbol.asyncDispose]();
      await until(() => server.openSessions() === 0, 1_000, "no session on the server");
      await driver[Symbol.asyncDispose]();
    });

    test("6c dispose ends in time when the other side is frozen", async () => {
      const seen = watch(driver);
      await until(() => goodAll(seen.samples, ALL), ARRIVAL_MS, "a Good sample of every signal");
      server.freeze();
      await seen.stop();
      const beganMs = performance.now();
      await driver[Symbol.asyncDispose]();
      expect(performance.now() - beganMs).toBeLessThanOrEqual(DISPOSE_MS_MAX + 200);
    });

    test("7 a slow consumer costs the oldest samples, which are counted, and not the memory", async () => {
      const bounded = server.createDriver(server.machines(ALL), { pendingSamplesMax: PENDING_SAMPLES_MAX_IN_TEST });
      try {
        await connectOnce(bounded);
        const abort = new AbortController();
        const batches = bounded.samples(abort.signal)[Symbol.asyncIterator]();
        await batches.next();
        let value = 2_000;
        await until(
          () => {
            for (const signal of ALL) server.set(signal, value++);
            return (bounded.status().counters.overflowed ?? 0) >= 8;
          },
          ARRIVAL_MS * 3,
          "eight samples counted as overflowed",
        );
        // What waits is taken without giving the driver time to fetch more than a few new ones.
        const waiting = await batches.next();
        expect(waiting.done).toBe(false);
        expect((waiting.value as readonly Sample[]).length).toBeLessThanOrEqual(PENDING_SAMPLES_MAX_IN_TEST);
        abort.abort();
        await batches.return?.();
      } finally {
        await bounded[Symbol.asyncDispose]();
      }
    });
  });
}

function connectOnce<Binding>(driver: Driver<Binding>): Promise<void> {
  return driver.connect(AbortSignal.timeout(5_000));
}

function isGood(sample: Sample): boolean {
  return severityOf(sample.statusCode) === "good";
}

function goodAll(samples: readonly Sample[], signals: readonly string[]): boolean {
  return signals.every((signal) => samples.some((sample) => sample.signal === signal && isGood(sample)));
}

/**
 * Samples that are the same reading as an earlier one: same signal, value, status and all times. A signal that was not
 * Good in between says its reading again, because the consumer must learn that it is Good: a server that stamps a value
 * when it changes has no newer time to give.
 */
function repeated(samples: readonly Sample[]): string[] {
  const seen = new Set<string>();
  const interruptions = new Map<string, number>();
  const good = new Map<string, boolean>();
  return samples.flatMap((sample) => {
    const name = `${sample.machineId}|${sample.signal}`;
    if (good.get(name) && !isGood(sample)) interruptions.set(name, (interruptions.get(name) ?? 0) + 1);
    good.set(name, isGood(sample));
    const key = [
      sample.machineId,
      sample.signal,
      String(sample.value),
      sample.statusCode,
      sample.sourceTimestampMs,
      // A source time names a reading; without one, two readings may not share the time of their arrival.
      sample.sourceTimestampMs === null ? sample.receivedTimestampMs : "",
      interruptions.get(name) ?? 0,
    ].join("|");
    if (seen.has(key)) return [key];
    seen.add(key);
    return [];
  });
}
