import { renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { telemetryOf } from "../../test/support/events.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import { systemClock } from "../kernel/clock.ts";
import { openFollowingLog } from "./following-log.ts";
import { openLog, type SqliteLog } from "./log.ts";

const BOUNDS = { clock: systemClock, quotaBytes: 1e9, maxAgeMs: 1e12 };

function collectorsLog(path: string, offsetsFrom = 0): SqliteLog {
  return openLog({ ...BOUNDS, path, offsetsFrom });
}

test("who appends beside the collector goes on with the file that takes the old one's place", async () => {
  const path = join(tempFolder(), "log.db");
  const old = collectorsLog(path);
  const following = openFollowingLog({ ...BOUNDS, path });
  await following.append([telemetryOf("redmond/mill-01", [])], "now");
  following.saveCursor("uplink.telemetry", 1);
  expect([old.head(), old.cursor("uplink.telemetry")]).toEqual([1, 1]);
  const { epoch } = following;
  // As the collector does with a damaged one.
  old.close();
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      renameSync(`${path}${suffix}`, `${path}.aside${suffix}`);
    } catch {
      // Not every one is there.
    }
  }
  const fresh = collectorsLog(path, 5_000);
  await until("the new file", () => following.epoch !== epoch);
  expect([following.epoch, following.cursor("uplink.telemetry")]).toEqual([fresh.epoch, 0]);
  const offset = await following.append([telemetryOf("redmond/mill-02", [])], "now");
  following.saveCursor("uplink.telemetry", offset);
  expect(fresh.readAfter(0, { limitEvents: 10 }).map(({ machineId }) => machineId)).toEqual(["redmond/mill-02"]);
  expect(fresh.cursor("uplink.telemetry")).toBe(offset);
  following.close();
  fresh.close();
});

test("a log that is not there is not made", () => {
  const path = join(tempFolder(), "log.db");
  expect(() => openFollowingLog({ ...BOUNDS, path })).toThrow(expect.objectContaining({ code: "LOG_UNAVAILABLE" }));
});
