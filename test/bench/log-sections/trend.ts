import { BulkSource } from "../data/bulk.ts";
import { type Cost, costOf, medianCost, type Row, SEED, type SectionOptions, START_MS, withLog } from "./section.ts";
import { fill } from "./throughput.ts";

const DAY_S = 86_400;
/** As many as a mill of the simulated factory has. */
const SIGNALS = 44;

/** 24 h of one signal at 1 Hz, out of a day of one machine with 44 signals. */
export function trend({ repeat }: SectionOptions): Promise<Row[]> {
  return withLog(async (driver) => {
    const source = new BulkSource({ seed: SEED, startMs: START_MS, machines: 1, signals: SIGNALS });
    const [first] = source.next();
    if (first === undefined) throw new Error("the bulk source has no machine");
    const signal = first.data.samples[0]?.signal ?? "";
    await fill(driver, source, DAY_S, 60);
    await driver.seal();
    const costs: Cost[] = [];
    let points = 0;
    for (let run = 0; run <= repeat * 7; run++) {
      costs.push(
        await costOf(() => {
          points = driver.readTrend(first.machineId, signal, START_MS, START_MS + (DAY_S + 120) * 1_000).length;
        }),
      );
    }
    const thinned: Cost[] = [];
    for (let run = 0; run < repeat * 7; run++)
      thinned.push(
        await costOf(() => driver.readTrend(first.machineId, signal, START_MS, START_MS + DAY_S * 1_000, 72_000)),
      );
    if (points !== DAY_S) throw new Error(`a day has ${DAY_S} points, the trend gave ${points}`);
    const { wallMs, cpuMs } = medianCost(costs.slice(1));
    return [
      [
        "24 h of one signal",
        `${wallMs.toFixed(0)} ms`,
        `${points} points, CPU ${cpuMs.toFixed(0)} ms, median of ${repeat * 7}`,
      ],
      [
        "  by its one-minute aggregates",
        `${medianCost(thinned).wallMs.toFixed(0)} ms`,
        "as a chart of 1,200 points asks for it",
      ],
      ["  the first time", `${(costs[0]?.wallMs ?? 0).toFixed(0)} ms`, "file in the page cache"],
    ];
  });
}
