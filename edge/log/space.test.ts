import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assertWritesAreCounted, diskWritesOf } from "../../test/bench/data/disk-writes.ts";
import { noiseOf, sampleOf, telemetryOf } from "../../test/support/events.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { systemClock } from "../kernel/clock.ts";
import { openLog } from "./log.ts";

const QUOTA_BYTES = 6 << 20;

test("L24 P03 what is let go is given back to the disk: the file shrinks", async () => {
  const path = join(tempFolder(), "log.db");
  const options = { path, clock: systemClock, diskReserveBytes: 0 };
  const large = openLog(options);
  for (let n = 0; n < 30; n++) {
    await large.append(noiseOf("a/1", 1_000, 100), "now");
    large.seal();
  }
  large.checkpoint();
  large.close();
  const before = statSync(path).size;
  expect(before).toBeGreaterThan(3 * QUOTA_BYTES);
  // Two thirds must go, and the file with them.
  const small = openLog({ ...options, quotaBytes: QUOTA_BYTES });
  while (small.maintain());
  small.checkpoint();
  expect(small.usage().usedBytes).toBeLessThanOrEqual(QUOTA_BYTES);
  // A few free pages stay for the next blocks.
  expect(statSync(path).size).toBeLessThanOrEqual(QUOTA_BYTES * 1.05);
  expect(small.readAfter(0, { limitEvents: 10_000, types: ["telemetry"] }).length).toBeGreaterThan(1_000);
  small.close();
});

test("L25 P06 a log at its quota takes whatever comes, and is below its mark again after each round of keeping", async () => {
  const log = openLog({
    path: join(tempFolder(), "log.db"),
    clock: systemClock,
    quotaBytes: 8 << 20,
    diskReserveBytes: 0,
  });
  let highestBytes = 0;
  for (let n = 0; n < 60; n++) {
    await log.append(noiseOf("a/1", 300, 100), "now");
    await log.append([{ type: "alarm", machineId: "a/1", timeMs: n, data: { n } }], "now");
    if (n % 3 === 2) log.seal();
    while (log.maintain());
    highestBytes = Math.max(highestBytes, log.usage().usedBytes);
  }
  expect(highestBytes).toBeLessThanOrEqual(8 << 20);
  const alarms = log.readAfter(0, { limitEvents: 100, types: ["alarm"] });
  expect(alarms.map((event) => event.type === "alarm" && event.data.n)).toEqual(
    Array.from({ length: 60 }, (_, n) => n),
  );
  log.close();
});

test("P30 the bytes that a reading costs the disk are measured", async ({ skip }) => {
  const folder = tempFolder();
  try {
    assertWritesAreCounted(folder);
  } catch (error) {
    // A tmpfs: its kernel has no writes to count.
    skip(String(error));
  }
  const path = join(folder, "log.db");
  const clock = new ManualClock();
  const log = openLog({ path, clock });
  const paths = ["", "-wal", "-shm"].map((suffix) => path + suffix);
  const before = diskWritesOf(paths);
  let readings = 0;
  for (let n = 0; n < 240; n++) {
    const samples = Array.from({ length: 200 }, (_, s) =>
      sampleOf(`s${s}`, Math.round(100 * Math.sin(n / 9 + s)) / 10),
    );
    await log.append([telemetryOf("a/1", samples, clock.nowMs())], "now");
    readings += samples.length;
    await clock.advance(250);
  }
  log.seal();
  log.close();
  const written = diskWritesOf(paths) - before;
  // Each commit costs a page at least; a reading costs far less than a row of its own would.
  expect(written / readings).toBeGreaterThan(0.1);
  expect(written / readings).toBeLessThan(200);
});
