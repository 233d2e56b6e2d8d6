import { pino } from "pino";
import { expect, test } from "vitest";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { RefusalLog } from "./refusal-log.ts";

test("a refusal is told once for each client and reason; a flood of them is counted", async () => {
  const lines: string[] = [];
  const clock = new ManualClock();
  const log = new RefusalLog(pino({ base: null }, { write: (line: string) => void lines.push(line) }), clock);
  for (let n = 0; n < 3; n++) log.refused("mill", "1.2.3.4", "the token has expired");
  expect(lines).toHaveLength(1);
  for (let n = 0; n < 5_000; n++) log.refused(`made-up-${n}`, "1.2.3.4", "the identity is not registered");
  expect(lines).toHaveLength(60);
  await clock.advance(61_000);
  log.refused("mill", "1.2.3.4", "the signature is wrong");
  expect(lines).toHaveLength(62);
  expect(lines[60]).toMatch(/"refusals":4941.*more devices refused/);
  expect(lines[61]).toMatch(/"client":"mill"/);
});
