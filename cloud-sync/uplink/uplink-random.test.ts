import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { StoredBlock } from "../../edge/log/event-log.ts";
import { Shedder } from "../../edge/log/keep/shed.ts";
import { numberOf } from "../../edge/log/series.ts";
import { FUZZ_RUNS, FUZZ_SEED } from "../../test/support/any-events.ts";
import type { Treatment } from "../../test/support/fake-hub.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { UplinkBench } from "../../test/support/uplink-bench.ts";
import { decodeBlock } from "../contract/block/block.ts";
import type { StoredEvent, TelemetrySample } from "../contract/event.ts";
import { MINUTE_MS } from "../contract/rollup/minute.ts";
import { WHOLE_CURSOR } from "./lanes/telemetry-cursor.ts";
import { CURSOR_BY_LANE } from "./ports.ts";

// Goal: whatever the line, the hub, restarts and the log's own work do, every event arrives at least once, as it was appended, or
// stands among the dead letters, or was thinned and its roll-up arrives; and no cursor passes an event that is none of these.
// Method: fast-check plays random steps on the real log; only the hub and the clock are faked.
const STEPS = [
  "append",
  "append",
  "append",
  "outage",
  "seal",
  "restart",
  "pause",
  "cut",
  "mend",
  "freeze",
  "thaw",
  "epoch",
  "thin",
  "poison",
  "slow",
  "quick",
] as const;
type Step = (typeof STEPS)[number] | Treatment;
const anyStep: fc.Arbitrary<Step> = fc.constantFrom(
  ...STEPS,
  "ack-lost" as const,
  "lost" as const,
  "silent" as const,
  "refused" as const,
  "throttled" as const,
);

class Play {
  readonly bench: UplinkBench;
  readonly appended = new Map<string, StoredEvent>();
  #next: Treatment[] = [];
  #poison: string | undefined;
  #read = 0;

  constructor(folder: string) {
    this.bench = new UplinkBench(folder, { sendTimeoutMs: 4_000 }, { newestFirstEvents: 12 });
    this.bench.hub.treat = (_, events) => {
      if (this.#poison !== undefined && events.some((event) => keyOf(event) === this.#poison)) return "lost";
      return this.#next.shift() ?? "ack";
    };
    this.bench.start();
  }

  async play(step: Step): Promise<void> {
    const { bench } = this;
    switch (step) {
      case "append":
        await bench.round(2, 3);
        break;
      case "outage":
        bench.hub.cut();
        await bench.round(25, 3);
        bench.seal();
        await bench.round(3, 3);
        bench.hub.isUp = true;
        break;
      case "seal":
        bench.seal();
        break;
      case "restart":
        await bench.stop();
        bench.start();
        break;
      case "pause":
        await bench.clock.advance(3_000);
        break;
      case "cut":
        bench.hub.cut();
        break;
      case "mend":
        bench.hub.isUp = true;
        break;
      case "freeze":
        bench.hub.isFrozen = true;
        break;
      case "thaw":
        bench.hub.isFrozen = false;
        break;
      case "slow":
        bench.hub.delayMs = 2_500;
        break;
      case "quick":
        bench.hub.delayMs = 0;
        break;
      case "epoch":
        bench.log.beginEpoch("test");
        break;
      case "thin":
        this.#thin();
        break;
      case "poison":
        await bench.round(1, 3);
        this.#remember();
        this.#poison = [...this.appended.keys()].at(-1);
        break;
      default:
        this.#next.push(step);
        await bench.round(1, 3);
    }
    this.#remember();
    this.#checkCursors();
  }

  /** As the log's quota would: the oldest block that is not thinned yet. */
  #thin(): void {
    const { log, clock } = this.bench;
    log.examine(({ database, epochs }) => {
      new Shedder(database, epochs).thin(1, clock.nowMs());
    });
  }

  #remember(): void {
    for (;;) {
      const read = this.bench.log.readAfter(this.#read, { limitEvents: 1_000 });
      for (const event of read) this.appended.set(keyOf(event), event);
      if (read.length === 0) return;
      this.#read = read.at(-1)?.offset ?? this.#read;
    }
  }

  #done(): (event: StoredEvent) => boolean {
    const { events } = this.bench.hub.received();
    const dead = deadKeys(this.bench);
    const rolled = this.bench.hub.rollups;
    return (event) => {
      const arrived = events.get(keyOf(event));
      if (arrived !== undefined) return isDeepStrictEqual(arrived, event);
      const { machineId, seq, epoch } = event;
      return (
        dead.has(`${machineId} ${seq}`) ||
        rolled.some(
          (part) => part.epoch === epoch && part.machineId === machineId && part.firstSeq <= seq && part.lastSeq >= seq,
        )
      );
    };
  }

  #checkCursors(): void {
    const { log } = this.bench;
    const isDone = this.#done();
    const whole = log.cursor(WHOLE_CURSOR);
    const priority = log.cursor(CURSOR_BY_LANE.priority);
    expect(log.cursor(CURSOR_BY_LANE.telemetry)).toBeGreaterThanOrEqual(whole);
    const taken = log.cursor(CURSOR_BY_LANE.telemetry);
    for (const { bytes, lastOffset } of blocksOf(log)) {
      if (bytes === undefined || lastOffset > taken) continue;
      const missed = decodeBlock(bytes)
        .events()
        .find((event) => !isDone(event));
      if (missed) throw new Error(`the cursor passed a block with ${keyOf(missed)} at ${missed.offset}`);
    }
    for (const event of this.appended.values()) {
      const isPassed = event.offset <= whole || (event.type !== "telemetry" && event.offset <= priority);
      if (isPassed && !isDone(event)) throw new Error(`a cursor passed ${keyOf(event)} at ${event.offset}`);
    }
  }

  async finish(): Promise<void> {
    const { bench } = this;
    bench.hub.isUp = true;
    bench.hub.isFrozen = false;
    bench.hub.delayMs = 0;
    this.#next = [];
    await bench.until("drained", () => bench.isDrained, 900_000);
    this.#remember();
    const isDone = this.#done();
    const lost = [...this.appended.values()].filter((event) => !isDone(event) && !this.#isLater(event));
    expect(lost.map(keyOf)).toEqual([]);
    this.#checkRollups();
    if (this.#poison === undefined)
      expect(bench.state.deadLetters().every(({ reason }) => reason === "not in this life")).toBe(true);
  }

  /** What arrived of thinned ranges says of their readings what the log was given. */
  #checkRollups(): void {
    for (const { epoch, machineId, firstSeq, lastSeq, samples, content } of this.bench.hub.rollups) {
      const readings = Array.from({ length: lastSeq - firstSeq + 1 }, (_, i) =>
        this.appended.get(`${epoch}/${machineId}/${firstSeq + i}`),
      ).flatMap((event) => (event?.type === "telemetry" ? event.data.samples : []));
      const { minutes, counted, uncounted } = content();
      expect([samples, counted + uncounted]).toEqual([readings.length, readings.length]);
      const good = readings.filter(({ value, statusCode }) => Number.isFinite(numberOf(value)) && statusCode < 2 ** 31);
      const minuteOf = ({ signal, receivedTimestampMs }: TelemetrySample): string =>
        `${signal} ${Math.floor(receivedTimestampMs / MINUTE_MS)}`;
      const wanted = new Map<string, [number, number, number]>();
      for (const [key, own] of Map.groupBy(good, minuteOf)) {
        const numbers = own.map(({ value }) => numberOf(value));
        wanted.set(key, [own.length, Math.min(...numbers), Math.max(...numbers)]);
      }
      const said = new Map<string, [number, number, number]>();
      for (const [signal, own] of minutes)
        for (const { minute, count, min, max } of own) said.set(`${signal} ${minute}`, [count, min, max]);
      expect(said).toEqual(wanted);
    }
  }

  /** What was appended after the look that found all drained. */
  #isLater({ offset }: StoredEvent): boolean {
    return offset > this.bench.log.cursor(CURSOR_BY_LANE.telemetry);
  }

  async end(): Promise<void> {
    await this.bench.stop();
    this.bench.close();
  }
}

function* blocksOf(log: UplinkBench["log"]): Generator<StoredBlock> {
  for (let offset = 0; ; ) {
    const blocks = log.readBlocks(offset, { limitBytes: 1_000_000 });
    yield* blocks;
    const last = blocks.at(-1);
    if (last === undefined) return;
    offset = last.lastOffset;
  }
}

function keyOf({ epoch, machineId, seq }: StoredEvent): string {
  return `${epoch}/${machineId}/${seq}`;
}

function deadKeys({ state }: UplinkBench): Set<string> {
  const keys = new Set<string>();
  for (const { contents } of state.deadLetters()) {
    for (const content of contents) {
      const [, machineId = "", first = "0", last] = /^(.*) (\d+)(?:–(\d+))?$/.exec(content) ?? [];
      for (let seq = Number(first); seq <= Number(last ?? first); seq++) keys.add(`${machineId} ${seq}`);
    }
  }
  return keys;
}

test("P09 whatever happens, every event arrives or is accounted for, and no cursor skips one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), async (steps) => {
      const play = new Play(tempFolder());
      try {
        for (const step of steps) await play.play(step);
        await play.finish();
      } finally {
        await play.end();
      }
    }),
    { seed: FUZZ_SEED, numRuns: Math.ceil(FUZZ_RUNS / 4) },
  );
});
