import { assertWritesAreCounted, diskWritesOf } from "../data/disk-writes.ts";
import { factoryTicks } from "../data/factory-data.ts";
import { play } from "./play.ts";
import { perReading, type Row, SEED, type SectionOptions, START_MS, withLog } from "./section.ts";

/** Bytes that the disk must take for each reading, from the first append to the last seal, at the log's default settings. */
export function wear({ minutes, machines }: SectionOptions): Promise<Row[]> {
  return withLog(async (driver, folder) => {
    assertWritesAreCounted(folder);
    const before = diskWritesOf(driver.paths);
    const readings = await play(driver, factoryTicks({ machines, seed: SEED, startMs: START_MS }), minutes * 60_000);
    const played = diskWritesOf(driver.paths) - before;
    await driver.seal();
    const written = diskWritesOf(driver.paths) - before;
    return [
      [
        "written",
        perReading(written, readings),
        `${machines} machines, ${minutes} min, a commit every 250 ms; kernel's write_bytes`,
      ],
      ["  before sealing the rest", perReading(played, readings), `${readings} readings`],
      [
        "  kept on disk",
        perReading(driver.sizeBytes(), readings),
        `written ${(written / driver.sizeBytes()).toFixed(1)} times over`,
      ],
    ];
  });
}
