import { BulkSource } from "../data/bulk.ts";
import {
  type Cost,
  costOf,
  medianCost,
  type Row,
  rateOf,
  SEED,
  type SectionOptions,
  START_MS,
  withLog,
} from "./section.ts";
import { fill } from "./throughput.ts";

/** Reads everything back in order, as the uplink does after an outage; the file is in the page cache. */
export function backlog({ repeat, readings }: SectionOptions): Promise<Row[]> {
  return withLog(async (driver) => {
    const source = new BulkSource({ seed: SEED, startMs: START_MS });
    await fill(driver, source, Math.ceil(readings / source.readingsPerBatch), 25);
    await driver.seal();
    const costs: Cost[] = [];
    let found = 0;
    for (let run = 0; run < repeat; run++) {
      costs.push(
        await costOf(() => {
          found = driver.readBacklog();
        }),
      );
    }
    return [
      [
        "backlog read",
        rateOf(found, medianCost(costs)),
        `median of ${repeat} × ${(found / 1e6).toFixed(1)} M readings`,
      ],
    ];
  });
}
