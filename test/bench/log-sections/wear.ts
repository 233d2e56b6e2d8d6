import { assertWritesAreCounted, diskWritesOf } from "../data/disk-writes.ts";
import { factoryTicks } from "../data/factory-data.ts";
import { play } from "./play.ts";
import { perReading, type Row, SEED, type SectionOptions, START_MS, withLog } from "./section.ts";

/** A factory of the customer's size, and two smaller ones: every commit takes two pages of the disk, however little it holds. */
const SIZES = [
  { machines: 300, what: "10,000 readings/s" },
  { machines: 100, what: "3,400 readings/s" },
  { machines: 13, what: "430 readings/s" },
];
/** By then the slots of the tail are there, and are only overwritten. */
const WARMUP_MS = 6 * 60_000;

/** Bytes that the disk must take for each reading, at the log's default settings, from the first append to the last seal. */
export async function wear({ minutes }: SectionOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { machines, what } of SIZES) rows.push(...(await wearOf(machines, what, minutes)));
  return rows;
}

function wearOf(machines: number, what: string, minutes: number): Promise<Row[]> {
  return withLog(async (driver, folder) => {
    assertWritesAreCounted(folder);
    const before = diskWritesOf(driver.paths);
    const ticks = factoryTicks({ machines, seed: SEED, startMs: START_MS });
    const first = await play(driver, ticks, WARMUP_MS);
    const warm = diskWritesOf(driver.paths);
    const rest = await play(driver, ticks, minutes * 60_000);
    const played = diskWritesOf(driver.paths);
    await driver.seal();
    const written = diskWritesOf(driver.paths) - before;
    return [
      [what, perReading(played - warm, rest), `${machines} machines, a commit every 250 ms; kernel's write_bytes`],
      [
        "  first minutes and end included",
        perReading(written, first + rest),
        `${minutes} min, ${first + rest} readings`,
      ],
    ];
  });
}
