import { randomUUID } from "node:crypto";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { EVENT_TYPES, type NewEvent } from "../../cloud-sync/contract/event.ts";
import { anyEvents } from "../../test/support/any-events.ts";
import { everyEvent, everySealedEvent, ledgerFaultsOf } from "../../test/support/log-checks.ts";
import { LogModel, lineOf } from "../../test/support/log-model.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { ClockJump } from "./clock-watch.ts";
import type { LogReader } from "./event-log.ts";
import { openLog, type SqliteLog } from "./log.ts";
import { openLogReader } from "./reader.ts";

// Goal: whatever is appended, sealed, killed and opened again, by one process or two, every read answers as a plain array
// of the events would. Method: fast-check plays random steps on real files; three connections take turns.

/** A soak sets this to thousands. */
const RUNS = Number(process.env.TAILSTOCK_MODEL_RUNS ?? 300);
const MACHINES = ["redmond/mill-01", "redmond/mill-02", "ü"] as const;
const OWN = "redmond/edge";
const SIGNALS = ["spindle.speed", "temperature", "ß", "", "load", "x", "y"];

/** Two writers and a reader on one file that only the test's clock ages, and the array that says what they must answer. */
class Rig {
  readonly #folder = tempFolder();
  readonly #clock = new ManualClock(1_780_000_000_000);
  readonly model: LogModel;
  #path = this.#nextPath();
  #logs: SqliteLog[] = [];
  #reader: LogReader | undefined;
  /** How far the clock has jumped since the keeper looked last, or began. */
  #jumpedMs = 0;
  #isReopened = false;

  constructor() {
    this.#open();
    this.model = new LogModel(this.log(0).epoch);
  }

  #nextPath(): string {
    return join(this.#folder, `${randomUUID()}.db`);
  }

  #open(): void {
    const options = { path: this.#path, clock: this.#clock, commitIntervalMs: 0, ownStream: OWN, diskReserveBytes: 0 };
    this.#logs = [openLog(options), openLog(options)];
    this.#reader = openLogReader(this.#path);
  }

  close(): void {
    this.#reader?.close();
    for (const log of this.#logs) log.close();
  }

  log(by: number): SqliteLog {
    return this.#logs[by] as SqliteLog;
  }

  /** One of the three, to read. */
  at(by: number): LogReader {
    return by < 2 ? this.log(by) : (this.#reader as LogReader);
  }

  restart(): void {
    this.close();
    this.#reopen();
  }

  /** What a kill leaves: the files as they are now, without the last close's checkpoint and without -shm. */
  crash(): void {
    const path = this.#nextPath();
    for (const suffix of ["", "-wal"])
      if (existsSync(this.#path + suffix)) copyFileSync(this.#path + suffix, path + suffix);
    this.close();
    this.#path = path;
    this.#reopen();
  }

  #reopen(): void {
    this.#isReopened = true;
    this.#jumpedMs = 0;
    this.#open();
  }

  jump(ms: number): void {
    this.#clock.jumpWall(ms);
    this.#jumpedMs += ms;
  }

  wait(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }

  /** Only one keeps the log; a jump of the clock is the one thing that it tells by itself. */
  maintain(): void {
    this.log(0).maintain();
    const told = this.log(0).readAfter(this.model.head(), { limitEvents: 10 });
    const jumps = told.map(({ data }) => (data as unknown as { clockJump: ClockJump }).clockJump);
    const running = jumps.filter(({ when }) => when === "running").map(({ jumpMs }) => jumpMs);
    expect(running).toEqual(Math.abs(this.#jumpedMs) >= 2_000 ? [this.#jumpedMs] : []);
    // A jump back before the start is seen where the tail has an event from before it.
    const before = jumps.filter(({ when }) => when === "restart");
    expect(before.length).toBeLessThanOrEqual(this.#isReopened ? 1 : 0);
    for (const { jumpMs } of before) expect(jumpMs).toBeLessThan(-2_000);
    for (const { type, machineId, timeMs, data } of told) {
      expect([type, machineId]).toEqual(["state", OWN]);
      this.model.append([{ type, machineId, timeMs, data } as NewEvent]);
    }
    this.#jumpedMs = 0;
    this.#isReopened = false;
  }

  checkAll(): void {
    const { model } = this;
    for (const by of [0, 1, 2]) {
      const log = this.at(by);
      same(log.head(), model.head());
      same(everyEvent(log), model.events);
      same(log.streams(), model.streams());
      same(
        log.cursors().map(({ name, offset }) => [name, offset]),
        [...model.cursors].sort(([a], [b]) => (a < b ? -1 : 1)),
      );
      for (const type of EVENT_TYPES)
        for (const machineId of [...MACHINES, OWN]) same(log.latest(machineId, type), model.latest(machineId, type));
      const sealed = everySealedEvent(log);
      same(sealed, model.events.slice(0, sealed.length));
    }
    same(ledgerFaultsOf(this.log(0)), []);
  }
}

function same(actual: unknown, expected: unknown): void {
  // expect's own comparison is slow, but it shows the difference.
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}

interface Step {
  readonly run: (rig: Rig) => unknown;
}

/** A step that a failure shows by its name and arguments. */
function step<A>(name: string, args: { [K in keyof A]: fc.Arbitrary<A[K]> }, run: (rig: Rig, args: A) => unknown) {
  return fc.record(args).map((drawn): Step => {
    const shown = {
      run: (rig: Rig) => run(rig, drawn as A),
      [fc.toStringMethod]: () => `${name} ${fc.stringify(drawn)}`,
    };
    return shown;
  });
}

const anyEventsOfSome = fc
  .record({ events: anyEvents, machines: fc.array(fc.constantFrom(...MACHINES), { minLength: 1, maxLength: 5 }) })
  .map(({ events, machines }) =>
    events.map(({ epoch: _epoch, seq, offset: _offset, ...event }, i): NewEvent => {
      const { entityId, ...rest } = { ...event, machineId: machines[i % machines.length] as string };
      return entityId.endsWith(`/${seq}`) ? rest : { ...rest, entityId };
    }),
  );
const anyTypes = fc.option(fc.subarray([...EVENT_TYPES], { minLength: 1 }), { nil: undefined, freq: 2 });
const machineId = fc.constantFrom(...MACHINES, OWN, "nobody");
const share = fc.double({ min: 0, max: 1.1, noNaN: true });
const limitEvents = fc.oneof(fc.integer({ min: 1, max: 7 }), fc.constant(1_000));
const anyMs = fc.oneof(
  fc.integer({ min: 1_779_999_999_000, max: 1_780_000_001_000 }),
  fc.constantFrom(-1e15, 1e15),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const by = fc.nat(1);
const at = fc.nat(2);
const optionsOf = <T>(limit: number, types: T | undefined) => ({ limitEvents: limit, ...(types && { types }) });

const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: step("append", { by, parts: fc.array(anyEventsOfSome, { minLength: 1, maxLength: 2 }) }, append),
  },
  {
    weight: 3,
    arbitrary: step("seal step", { by, times: fc.integer({ min: 1, max: 5 }) }, (rig, { by, times }) => {
      for (let n = 0; n < times; n++) rig.log(by).sealStep();
    }),
  },
  step("seal", { by }, (rig, { by }) => rig.log(by).seal()),
  step("maintain", {}, (rig) => rig.maintain()),
  step("restart", {}, (rig) => rig.restart()),
  step("crash", {}, (rig) => rig.crash()),
  step("jump", { ms: fc.constantFrom(-4e11, -86_400_000, -1_500, 1_500, 400_000, 4e11) }, (rig, { ms }) =>
    rig.jump(ms),
  ),
  step("wait", { ms: fc.constantFrom(1_000, 400_000) }, (rig, { ms }) => rig.wait(ms)),
  step("cursor", { by, name: fc.constantFrom("uplink", "scorer"), share }, (rig, { by, name, share }) => {
    const offset = Math.floor(share * rig.model.head());
    rig.log(by).saveCursor(name, offset);
    rig.model.cursors.set(name, offset);
  }),
  step("read after", { at, share, limitEvents, types: anyTypes }, (rig, { at, share, limitEvents: limit, types }) => {
    const offset = Math.floor(share * rig.model.head());
    same(rig.at(at).readAfter(offset, optionsOf(limit, types)), rig.model.after(offset, limit, types));
  }),
  step(
    "read stream",
    { at, machineId, share, limitEvents, types: anyTypes },
    (rig, { at, machineId, share, limitEvents: limit, types }) => {
      const seq = Math.floor(share * rig.model.lastSeq(machineId));
      const found = rig.at(at).readStream(machineId, seq, optionsOf(limit, types));
      same(found, rig.model.stream(machineId, seq, limit, types));
    },
  ),
  step(
    "read time",
    { at, machineId, share, limitEvents, types: anyTypes, fromMs: anyMs, toMs: anyMs },
    (rig, { at, machineId, share, limitEvents: limit, types, fromMs, toMs }) => {
      const options = { ...optionsOf(limit, types), afterSeq: Math.floor(share * rig.model.lastSeq(machineId)) };
      same(rig.at(at).readTime(machineId, fromMs, toMs, options), rig.model.time(machineId, fromMs, toMs, options));
    },
  ),
  step("read series", { at, machineId, fromMs: anyMs, toMs: anyMs }, (rig, { at, machineId, fromMs, toMs }) => {
    const pieces = [...rig.at(at).readSeries({ machineId, signals: SIGNALS, fromMs, toMs })];
    for (const signal of SIGNALS) same(lineOf(pieces, signal), rig.model.line(machineId, signal, fromMs, toMs));
  }),
  step("read blocks", { at, limitBytes: fc.constantFrom(1, 2_000, 1e6) }, (rig, { at, limitBytes }) => {
    const sealed = everySealedEvent(rig.at(at), limitBytes);
    same(sealed, rig.model.events.slice(0, sealed.length));
  }),
);

async function append(rig: Rig, { by, parts }: { by: number; parts: NewEvent[][] }): Promise<void> {
  await Promise.all(parts.map((part, i) => rig.log(by).append(part, i === 1 ? "now" : "grouped")));
  for (const part of parts) rig.model.append(part);
}

test("L03 L07 L12 L16 L17 L20 every read answers as a plain array of the events would", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
      const rig = new Rig();
      try {
        for (const each of steps) await each.run(rig);
        rig.checkAll();
      } finally {
        rig.close();
      }
    }),
    { numRuns: RUNS },
  );
});
