import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownUsage, quantile } from "../../support/process-usage.ts";
import { LogDriver } from "../data/log-driver.ts";

/** When the simulated time of all sections begins: any time would do, a fixed one makes them repeatable. */
export const START_MS = Date.UTC(2026, 0, 5, 6);
export const SEED = 1;

export interface SectionOptions {
  readonly repeat: number;
  /** Readings that the throughput and backlog sections move. */
  readonly readings: number;
  /** Simulated time of the size and wear sections. */
  readonly minutes: number;
  readonly machines: number;
}

export type { Row } from "../run-sections.ts";

/** A fresh log in a folder of its own; both are gone afterwards. */
export async function withLog<T>(work: (driver: LogDriver, folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-bench-"));
  const driver = new LogDriver(folder, START_MS);
  try {
    return await work(driver, folder);
  } finally {
    driver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Cost {
  readonly wallMs: number;
  /** Of the whole process, garbage collection and other threads included. */
  readonly cpuMs: number;
}

export async function costOf(work: () => unknown): Promise<Cost> {
  const startedMs = performance.now();
  const before = ownUsage().cpuMs;
  await work();
  return { wallMs: performance.now() - startedMs, cpuMs: ownUsage().cpuMs - before };
}

export function medianOf(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

export function medianCost(costs: readonly Cost[]): Cost {
  return { wallMs: medianOf(costs.map((cost) => cost.wallMs)), cpuMs: medianOf(costs.map((cost) => cost.cpuMs)) };
}

/** "1.25 M/s a core, 1.10 M/s by the clock" */
export function rateOf(readings: number, { cpuMs, wallMs }: Cost): string {
  const millions = (ms: number): string => (readings / ms / 1_000).toFixed(2);
  return `${millions(cpuMs)} M/s a core, ${millions(wallMs)} M/s by the clock`;
}

export function perReading(bytes: number, readings: number): string {
  return `${(bytes / readings).toFixed(2)} B a reading`;
}
