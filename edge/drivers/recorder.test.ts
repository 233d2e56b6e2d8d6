import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { Sample } from "../../cloud-sync/contract/sample.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { systemClock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import type { EventLog } from "../log/event-log.ts";
import { openLog } from "../log/log.ts";
import { Recorder } from "./recorder.ts";

const logger = pino({ level: "silent" });

function sample(machineId: string, signal: string, value: number): Sample {
  return {
    machineId,
    signal,
    value,
    statusCode: 0,
    sourceTimestampMs: value + 0.5,
    serverTimestampMs: value + 1,
    receivedTimestampMs: value + 2,
  };
}

/** The real log whose disk can be filled: appends are refused before they reach it. */
function openFullableLog(path: string): { log: EventLog; fill(full: boolean): void; append: Pick<EventLog, "append"> } {
  const log = openLog({ path, clock: systemClock });
  let full = false;
  return {
    log,
    fill: (next) => {
      full = next;
    },
    append: {
      append: (events, commit) =>
        full ? Promise.reject(new EdgeError("LOG_FULL", "the disk is full")) : log.append(events, commit),
    },
  };
}

describe("the recorder", () => {
  test("makes one event per machine and tick, with every sample and its three times", async () => {
    const { log, append } = openFullableLog(join(tempFolder(), "log.db"));
    const recorder = new Recorder({ log: append, clock: systemClock, logger, tickMs: 10 });
    recorder.accept([sample("s/a", "x", 1), sample("s/b", "x", 2)]);
    recorder.accept([sample("s/a", "y", 3), sample("s/a", "x", 4)]);
    await recorder.flush();
    recorder.accept([sample("s/a", "x", 5)]);
    await recorder.flush();
    const events = log.readAfter(0, { limitEvents: 10 });
    expect(events.map(({ machineId, seq, timeMs }) => [machineId, seq, timeMs])).toEqual([
      ["s/a", 1, 6],
      ["s/b", 1, 4],
      ["s/a", 2, 7],
    ]);
    expect(events[0]?.data).toEqual({
      samples: [
        { signal: "x", value: 1, statusCode: 0, sourceTimestampMs: 1.5, serverTimestampMs: 2, receivedTimestampMs: 3 },
        { signal: "y", value: 3, statusCode: 0, sourceTimestampMs: 3.5, serverTimestampMs: 4, receivedTimestampMs: 5 },
        { signal: "x", value: 4, statusCode: 0, sourceTimestampMs: 4.5, serverTimestampMs: 5, receivedTimestampMs: 6 },
      ],
    });
    log.close();
  });

  test("keeps samples while the log is full, in order, and loses none when there is room again", async () => {
    const { log, append, fill } = openFullableLog(join(tempFolder(), "log.db"));
    const recorder = new Recorder({ log: append, clock: systemClock, logger, tickMs: 10 });
    fill(true);
    for (let n = 1; n <= 5; n++) {
      recorder.accept([sample("s/a", "x", n)]);
      await recorder.flush();
    }
    expect(log.head()).toBe(0);
    fill(false);
    await recorder.flush();
    const values = log
      .readAfter(0, { limitEvents: 10 })
      .flatMap((event) => (event.type === "telemetry" ? event.data.samples.map(({ value }) => value) : []));
    expect(values).toEqual([1, 2, 3, 4, 5]);
    log.close();
  });

  test("beyond its bound drops the oldest and records exactly what as a gap", async () => {
    const { log, append, fill } = openFullableLog(join(tempFolder(), "log.db"));
    const recorder = new Recorder({ log: append, clock: systemClock, logger, tickMs: 10, waitingSamplesMax: 20 });
    fill(true);
    for (let n = 1; n <= 50; n++) {
      recorder.accept([sample("s/a", "x", n)]);
      await recorder.flush();
    }
    fill(false);
    await recorder.flush();
    const events = log.readAfter(0, { limitEvents: 100 });
    const values = events.flatMap((event) =>
      event.type === "telemetry" ? event.data.samples.map(({ value }) => value) : [],
    );
    const gaps = events.flatMap((event) => (event.type === "gap" ? [event.data] : []));
    const lost = 50 - values.length;
    expect(lost).toBeGreaterThanOrEqual(30);
    expect(values).toEqual(Array.from({ length: values.length }, (_, i) => lost + 1 + i));
    expect(gaps).toEqual([
      { cause: "overflow", samples: lost, fromMs: 3, toMs: lost + 2, detail: expect.stringContaining("memory") },
    ]);
    log.close();
  });

  test("ends with the error when the log can never take samples again", async () => {
    const { log, append } = openFullableLog(join(tempFolder(), "log.db"));
    const recorder = new Recorder({ log: append, clock: systemClock, logger, tickMs: 1 });
    log.close();
    recorder.accept([sample("s/a", "x", 1)]);
    await expect(recorder.run(AbortSignal.timeout(2_000), () => undefined)).rejects.toMatchObject({
      code: "LOG_CLOSED",
    });
  });

  test("appends what waits when it is told to stop", async () => {
    const { log, append } = openFullableLog(join(tempFolder(), "log.db"));
    const recorder = new Recorder({ log: append, clock: systemClock, logger, tickMs: 60_000 });
    const stop = new AbortController();
    const running = recorder.run(stop.signal, () => undefined);
    recorder.accept([sample("s/a", "x", 7)]);
    stop.abort();
    await running;
    expect(log.head()).toBe(1);
    log.close();
  });

  test("events of other kinds go with the samples, wait while the log refuses, and are told when too many wait", async () => {
    const { log, fill, append } = openFullableLog(join(tempFolder(), "log.db"));
    const recorder = new Recorder({ log: append, clock: systemClock, logger, tickMs: 10 });
    fill(true);
    for (let n = 0; n < 6_010; n++) recorder.publish({ type: "state", machineId: "s/a", timeMs: n, data: { n } });
    recorder.accept([sample("s/a", "x", 1)]);
    await recorder.flush();
    fill(false);
    await recorder.flush();
    const events = log.readAfter(0, { limitEvents: 10_000 });
    expect(events.filter(({ type }) => type === "state").map(({ timeMs }) => timeMs)).toEqual(
      Array.from({ length: 6_000 }, (_, i) => i + 10),
    );
    expect(events.find(({ type }) => type === "gap")?.data).toMatchObject({ cause: "overflow", fromMs: 0, toMs: 9 });
    expect(events.filter(({ type }) => type === "telemetry")).toHaveLength(1);
    log.close();
  });

  test("an event that can't be stored is left out and told, and takes nothing with it", async () => {
    const { log, append } = openFullableLog(join(tempFolder(), "log.db"));
    const recorder = new Recorder({ log: append, clock: systemClock, logger, tickMs: 10 });
    recorder.publish({ type: "state", machineId: "s/a", timeMs: Number.NaN, data: {} });
    recorder.publish({ type: "state", machineId: "s/a", timeMs: 7, data: { fine: true } });
    recorder.accept([sample("s/b", "x", 1)]);
    await recorder.flush();
    recorder.accept([sample("s/b", "x", 2)]);
    await recorder.flush();
    const events = log.readAfter(0, { limitEvents: 10 });
    expect(events.map(({ type, machineId }) => [type, machineId])).toEqual([
      ["state", "s/a"],
      ["telemetry", "s/b"],
      ["gap", "s/a"],
      ["telemetry", "s/b"],
    ]);
    log.close();
  });
});
