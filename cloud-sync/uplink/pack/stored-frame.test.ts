import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { FRAME_CONTENT_TYPE } from "../../contract/frame/frame.ts";
import { decodeMessage } from "../../contract/frame/message.ts";
import { RollupBuilder } from "../../contract/rollup/rollup-builder.ts";
import { FrameFiller, rollupPartOf } from "./stored-frame.ts";

const RANGE = { epoch: "e", machineId: "redmond/mill-01", firstSeq: 4, lastSeq: 9, firstOffset: 40, lastOffset: 90 };

/** What a receiver finds of a thinned range whose machine ever had `names`. */
function received(names: readonly string[], aggregates: Buffer | undefined) {
  const filler = new FrameFiller();
  const part = rollupPartOf({ ...RANGE, samples: 12, names, aggregates });
  filler.add({ machineId: RANGE.machineId, firstSeq: 4, lastSeq: 9, samples: 12, lastOffset: 90, part }, 250_000);
  const { rollups } = decodeMessage({
    contentType: FRAME_CONTENT_TYPE,
    body: filler.finish()?.body ?? Buffer.alloc(0),
  });
  expect(rollups).toHaveLength(1);
  expect(rollups[0]).toMatchObject({ ...RANGE, samples: 12 });
  return rollups[0]?.content().minutes;
}

function aggregatesOf(signals: readonly number[], minutes: number): Buffer | undefined {
  const builder = new RollupBuilder();
  for (const signal of signals)
    for (let minute = 0; minute < minutes; minute++)
      for (const value of [Math.random(), Math.random()]) builder.add(signal, minute * 60_000, value, 0);
  return builder.finish();
}

test("of all names that a machine ever had a roll-up carries those that it uses", () => {
  const names = Array.from({ length: 60_000 }, () => randomBytes(12).toString("hex"));
  const minutes = received(names, aggregatesOf([3, 59_990], 2));
  expect([...(minutes?.keys() ?? [])]).toEqual([names[3], names[59_990]]);
});

test("P10 aggregates that are larger than a message, or damaged, keep nothing waiting: the range is told without them", () => {
  const names = Array.from({ length: 2_000 }, (_, at) => `signal-${at}`);
  const large = aggregatesOf([...names.keys()], 10) ?? Buffer.alloc(0);
  expect(large.length).toBeGreaterThan(256 * 1024);
  expect(received(names, large)?.size).toBe(0);
  const damaged = aggregatesOf([1], 3) ?? Buffer.alloc(0);
  damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 0xff;
  expect(received(names, damaged)?.size).toBe(0);
});
