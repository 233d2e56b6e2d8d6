import { join } from "node:path";
import { expect, test } from "vitest";
import { sampleOf, telemetryOf } from "../../../test/support/events.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { systemClock } from "../../kernel/clock.ts";
import { openLog } from "../log.ts";
import { commitSeal } from "./commit-seal.ts";
import { type MachineWork, SealEncoder } from "./seal-encoder.ts";

test("a seal that misses an event frees nothing: every event of the closed chunks must be in a block", async () => {
  const log = openLog({ path: join(tempFolder(), "log.db"), clock: systemClock });
  await log.append([telemetryOf("a/1", [sampleOf("x", 1)]), telemetryOf("a/2", [sampleOf("x", 2)])], "now");
  const outcome = log.examine(({ database, tail, epochs }) => {
    database.prepare("UPDATE mark SET closed_chunk = 1").run();
    tail.reload();
    const encoder = new SealEncoder(database, tail, (offset) => epochs.of(offset));
    const works = [encoder.next(), encoder.next()] as MachineWork[];
    const place = { database, tail, epochs, runMs: 0, isLast: false };
    expect(() => commitSeal(place, 1, works.slice(1))).toThrow("2 events were to be sealed, 1 are in the blocks");
    const blocks = database.prepare("SELECT count(*) FROM block").pluck();
    expect(blocks.get()).toBe(0);
    expect(tail.sealedChunk).toBe(0);
    return [commitSeal(place, 1, works), blocks.get(), commitSeal(place, 7, works)];
  });
  expect(outcome).toEqual([true, 2, false]);
  expect(log.readAfter(0, { limitEvents: 9 }).map(({ machineId }) => machineId)).toEqual(["a/1", "a/2"]);
  log.close();
});
