import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { sampleOf, telemetryOf } from "../../../test/support/events.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import { systemClock } from "../../kernel/clock.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { openLog } from "../log.ts";
import { verifyLog } from "../verify.ts";
import { LogKeeper } from "./keeper.ts";

const logger = pino({ level: "silent" });

test("what is due is sealed in a thread of its own, while appends go on and are all there", async () => {
  const path = join(tempFolder(), "log.db");
  const log = openLog({ path, clock: systemClock, sealIntervalMs: 300 });
  const ending = new AbortController();
  const keeper = new LogKeeper({ log, clock: systemClock, logger }).run(ending.signal, () => undefined);
  let appended = 0;
  await until("three seals", () => {
    appended++;
    log.append([telemetryOf("a/1", [sampleOf("speed", appended / 10)], Date.now())], "now").catch(() => undefined);
    return log.readBlocks(0, { limitBytes: 1e9 }).length >= 3;
  });
  ending.abort();
  await keeper;
  const values = log
    .readStream("a/1", 0, { limitEvents: 10_000 })
    .map((event) => event.type === "telemetry" && event.data.samples[0]?.value);
  expect(values).toEqual(Array.from({ length: appended }, (_, i) => (i + 1) / 10));
  log.close();
  expect((await verifyLog(path)).faults).toEqual([]);
});

test("where no thread can be had, blocks are encoded here", async () => {
  const log = openLog({ path: join(tempFolder(), "log.db"), clock: systemClock, sealIntervalMs: 1 });
  await log.append([telemetryOf("a/1", [sampleOf("speed", 7)], Date.now())], "now");
  let refused = 0;
  const ending = new AbortController();
  const keeper = new LogKeeper({
    log: {
      maintain: (seals) => log.maintain(seals),
      isSealDue: () => log.isSealDue(),
      sealAside: () => {
        refused++;
        return Promise.reject(new EdgeError("LOG_UNAVAILABLE", "no thread"));
      },
    },
    // Its pauses are short, so that the second round comes soon.
    clock: { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(5, signal) },
    logger,
  }).run(ending.signal, () => undefined);
  await until("a block", () => log.readBlocks(0, { limitBytes: 1e9 }).length === 1);
  ending.abort();
  await keeper;
  expect(refused).toBe(1);
  log.close();
});
