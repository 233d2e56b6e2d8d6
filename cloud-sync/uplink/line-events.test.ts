import { expect, test } from "vitest";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { uplinkBench } from "../../test/support/uplink-bench.ts";

test("P01 a hub that closes after each message gets everything all the same: the line's own events do not fill it", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  bench.hub.treat = () => {
    queueMicrotask(() => bench.hub.dropSession());
    return "ack";
  };
  await bench.round(60);
  await bench.until("drained", () => bench.isDrained, 120_000);
  const changes = () =>
    bench.log
      .readStream("redmond/edge", 0, { limitEvents: 10_000, types: ["connection"] })
      .flatMap((event) => (event.type === "connection" ? [event.data] : []));
  expect(changes().length).toBeLessThan(8 + 180 / 30 + 1);
  expect(bench.hub.connects).toBeGreaterThan(changes().length);
  expect(bench.state.deadLetterCount()).toBe(0);
  // What is told in the end is how it is.
  bench.hub.treat = () => "ack";
  await bench.clock.advance(60_000);
  expect(changes().at(-1)).toMatchObject({ state: "connected" });
  const untold = changes().reduce((sum, { counters }) => sum + (counters.changesBefore ?? 0), 0);
  expect(untold + changes().length).toBeGreaterThan(bench.hub.connects);
});
