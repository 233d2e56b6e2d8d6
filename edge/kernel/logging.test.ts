import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { EdgeError } from "./errors.ts";
import { FailureLog } from "./failure-log.ts";
import { createLogger, type LogLevel } from "./logging.ts";

function logged(pretty: boolean, level: LogLevel = "info") {
  const destination = new PassThrough();
  const chunks: string[] = [];
  destination.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const logger = createLogger({ level, pretty, destination });
  return { logger, text: () => chunks.join("") };
}

test("facts are fields of a JSON line, levels below the chosen one are silent", () => {
  const { logger, text } = logged(false, "warn");
  logger.info({ rows: 3 }, "not this");
  logger.warn({ rows: 4, machineId: "redmond/mill-07" }, "batch refused");
  expect(JSON.parse(text())).toMatchObject({ level: 40, rows: 4, machineId: "redmond/mill-07", msg: "batch refused" });
});

test("secrets are never written, at any depth that a configuration has", () => {
  for (const pretty of [false, true]) {
    const { logger, text } = logged(pretty);
    const identity = { kind: "user", username: "operator", password: "hunter2" };
    logger.info({ identity }, "one");
    logger.info({ config: { connections: [{ id: "line-a", identity }] } }, "two");
    logger.info(
      { password: "hunter2", privateKey: "hunter2", headers: { authorization: "hunter2", cookie: "hunter2" } },
      "three",
    );
    logger.child({ identity }).info({ a: { b: { secret: "hunter2" } } }, "four");
    logger.info({ connectionString: "hunter2", hub: { sharedAccessKey: "hunter2" } }, "five");
    expect(text()).not.toContain("hunter2");
    expect(text()).toContain("operator");
    expect(text()).toContain("line-a");
    expect(text()).toContain("five");
  }
});

test("for a terminal a line is readable and not JSON", () => {
  const { logger, text } = logged(true);
  logger.info({ machineId: "redmond/mill-07" }, "connected");
  expect(text()).toMatch(/INFO.*connected/);
  expect(text()).not.toMatch(/^\{/);
});

test("our errors are told by code and facts, others with their stack", () => {
  const { logger, text } = logged(false);
  logger.error(
    { err: new EdgeError("LOG_FULL", "no space left", { hint: "free some", cause: new Error("ENOSPC") }) },
    "append failed",
  );
  logger.error({ err: new TypeError("x is undefined") }, "crashed");
  const [ours, theirs] = text()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { err: Record<string, unknown> });
  expect(ours?.err).toEqual({
    type: "EdgeError",
    code: "LOG_FULL",
    message: "no space left",
    retry: "backoff",
    hint: "free some",
    cause: "ENOSPC",
  });
  expect(theirs?.err).toMatchObject({ type: "TypeError", message: "x is undefined" });
  expect(String(theirs?.err.stack)).toContain("logging.test.ts");
});

test("a repeated failure is one line until it changes; numbers don't change it; the end says how often and how long", async () => {
  const { logger, text } = logged(false);
  const clock = new ManualClock();
  const log = new FailureLog(logger, clock, { connection: "line-a" });
  log.recovered();
  for (const waitMs of [501, 502, 503]) {
    log.failed(new EdgeError("DRIVER_NOT_CONNECTED", `no answer after ${waitMs} ms`));
    await clock.advance(1_000);
  }
  log.failed(new EdgeError("DRIVER_REFUSED", "certificate"));
  await clock.advance(500);
  log.recovered();
  log.recovered();
  const lines = text()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ msg }) => msg)).toEqual(["failed", "fails differently", "recovered"]);
  expect(lines[2]).toMatchObject({ connection: "line-a", failures: 1, durationMs: 3_500 });
});
