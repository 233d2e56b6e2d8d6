import { ownUsage, resetRssPeak } from "../../support/process-usage.ts";
import { BulkSource } from "../data/bulk.ts";
import type { LogDriver } from "../data/log-driver.ts";
import {
  type Cost,
  costOf,
  medianCost,
  medianOf,
  type Row,
  rateOf,
  SEED,
  type SectionOptions,
  START_MS,
  withLog,
} from "./section.ts";

/** Seconds of 10,000 readings in one commit: a quarter of a second's worth at a million readings a second. */
const BATCHES_PER_COMMIT = 25;
const WARMUP_READINGS = 500_000;

/** Appends `seconds` of a bulk source, many batches to a commit, each commit durable before the next begins. */
export async function fill(driver: LogDriver, source: BulkSource, seconds: number, commitS: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    const isLast = (second + 1) % commitS === 0 || second === seconds - 1;
    const appended = driver.append(source.next(), isLast ? "now" : "grouped");
    if (!isLast) continue;
    await appended;
    await driver.maintain(START_MS + (second + 1) * 1_000);
  }
}

/** From events in memory to a durable, sealed and readable log; objects of the readings are made inside the measurement. */
export async function throughput({ repeat, readings }: SectionOptions): Promise<Row[]> {
  const runs: { append: Cost; seal: Cost; rssPeakBytes: number }[] = [];
  await oneRun(WARMUP_READINGS);
  for (let run = 0; run < repeat; run++) runs.push(await oneRun(readings));
  const append = medianCost(runs.map((run) => run.append));
  const seal = medianCost(runs.map((run) => run.seal));
  const all = { wallMs: append.wallMs + seal.wallMs, cpuMs: append.cpuMs + seal.cpuMs };
  const generating = await generatingNs();
  return [
    ["appended, durable", rateOf(readings, append), `${BATCHES_PER_COMMIT * 10_000} readings a commit`],
    ["appended, durable, sealed", rateOf(readings, all), `sealing at the end ${seal.wallMs.toFixed(0)} ms`],
    ["RSS peak", `${(medianOf(runs.map((run) => run.rssPeakBytes)) / 1e6).toFixed(0)} MB`, "of this process"],
    [
      "generating, included above",
      `${generating.toFixed(0)} ns a reading`,
      `median of ${repeat} × ${readings / 1e6} M readings`,
    ],
  ];
}

function oneRun(readings: number): Promise<{ append: Cost; seal: Cost; rssPeakBytes: number }> {
  return withLog(async (driver) => {
    const source = new BulkSource({ seed: SEED, startMs: START_MS });
    const seconds = Math.ceil(readings / source.readingsPerBatch);
    resetRssPeak();
    const append = await costOf(() => fill(driver, source, seconds, BATCHES_PER_COMMIT));
    const seal = await costOf(() => driver.seal());
    const { rssPeakBytes } = ownUsage();
    const found = driver.readBacklog();
    const expected = seconds * source.readingsPerBatch;
    if (found !== expected) throw new Error(`${expected} readings were appended, ${found} came back`);
    return { append, seal, rssPeakBytes };
  });
}

async function generatingNs(): Promise<number> {
  const source = new BulkSource({ seed: SEED, startMs: START_MS });
  let made = 0;
  const cost = await costOf(() => {
    for (let batch = 0; batch < 100; batch++) made += source.next().length;
  });
  return (cost.cpuMs * 1e6) / (made * (source.readingsPerBatch / 100));
}
