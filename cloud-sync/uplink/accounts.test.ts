import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { uplinkBench } from "../../test/support/uplink-bench.ts";

test("P06 a full disk that takes no figures stops nothing; they are written when it does", async () => {
  const bench = uplinkBench(tempFolder());
  const full = vi.spyOn(bench.state, "addTraffic").mockImplementation(() => {
    throw new Database.SqliteError("database or disk is full", "SQLITE_FULL");
  });
  bench.start();
  await bench.round(10);
  await bench.until("drained", () => bench.isDrained, 10_000);
  const ids = bench.hub.messages.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const { today, lanes } = bench.uplink.status();
  expect(today.messages).toBe(ids.length);
  expect((lanes.priority.total?.messages ?? 0) + (lanes.telemetry.total?.messages ?? 0)).toBe(ids.length);
  full.mockRestore();
  await bench.round(3);
  await bench.until("drained", () => bench.isDrained, 10_000);
  const { priority, telemetry } = bench.state.traffic(bench.clock.nowMs());
  expect(priority.messages + telemetry.messages).toBe(bench.hub.messages.length);
  expect(bench.uplink.status().today.messages).toBe(bench.hub.messages.length);
});
