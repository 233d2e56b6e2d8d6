import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openLog } from "../../../edge/log/log.ts";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import type { JsonObject } from "../../contract/event.ts";
import { RateOverride } from "./rate-override.ts";

function started(clock: ManualClock, path: string) {
  const log = openLog({ path, commitIntervalMs: 1, clock });
  const rates: (number | null | undefined)[] = [];
  const rate = new RateOverride({ set: (value) => void rates.push(value), log, edgeStream: "redmond/edge", clock });
  const stop = new AbortController();
  const running = rate.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
    log.close();
  };
  onTestFinished(end);
  return { log, rate, rates, end };
}

test("a rate for a time ends in time, also when the box was started anew meanwhile; one without an end stays", async () => {
  const clock = new ManualClock();
  const path = join(tempFolder(), "log.db");
  const first = started(clock, path);
  const record = (payload: { bytesPerSecondMax?: number; forSeconds?: number }, status: number) =>
    first.log.append(
      [
        {
          type: "command",
          machineId: "redmond/edge",
          timeMs: clock.nowMs(),
          data: { name: "setRate", payload, status },
        },
      ],
      "now",
    );
  first.rate.set(5_000, 60);
  await record({ bytesPerSecondMax: 5_000, forSeconds: 60 }, 200);
  await record({ bytesPerSecondMax: 1, forSeconds: 5 }, 400);
  await clock.advance(20_000);
  expect(first.rates).toEqual([5_000]);
  await first.end();
  const second = started(clock, path);
  await clock.advance(39_000);
  expect(second.rates).toEqual([]);
  await clock.advance(2_000);
  expect(second.rates).toEqual([undefined]);
  second.rate.set(7_000, undefined);
  await clock.advance(3_600_000);
  expect(second.rates).toEqual([undefined, 7_000]);
});

test("the end of a rate is found behind the ten thousand commands that a status asked for each minute makes in a week", async () => {
  const clock = new ManualClock();
  const path = join(tempFolder(), "log.db");
  const first = started(clock, path);
  const commandOf = (data: JsonObject) =>
    ({ type: "command", machineId: "redmond/edge", timeMs: clock.nowMs(), data }) as const;
  await first.log.append(Array.from({ length: 10_080 }, () => commandOf({ name: "status", status: 200 })));
  await first.log.append(
    [commandOf({ name: "setRate", payload: { bytesPerSecondMax: 5_000, forSeconds: 60 }, status: 200 })],
    "now",
  );
  await first.end();
  const second = started(clock, path);
  await clock.advance(61_000);
  expect(second.rates).toEqual([undefined]);
});
