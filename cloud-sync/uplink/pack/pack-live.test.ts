import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { factoryTicks } from "../../../test/bench/data/factory-data.ts";
import { stored } from "../../../test/support/block-samples.ts";
import type { StoredEvent } from "../../contract/event.ts";
import { FRAME_CONTENT_TYPE } from "../../contract/frame/frame.ts";
import { decodeMessage } from "../../contract/frame/message.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { unitsOf } from "../parcel.ts";
import { packLive } from "./pack-live.ts";

const MACHINES = 65;

/** So many seconds of the simulated factory, after a minute of running in. */
function windowOf(seconds: number, onChange: boolean): StoredEvent[] {
  const events: StoredEvent[] = [];
  const seqs = new Map<string, number>();
  let quarters = 0;
  let offset = 5_000;
  for (const tick of factoryTicks({ machines: MACHINES, seed: 3, startMs: 1_780_000_000_000, onChange })) {
    quarters++;
    for (const event of tick.events) {
      const seq = (seqs.get(event.machineId) ?? 0) + 1;
      seqs.set(event.machineId, seq);
      offset++;
      if (quarters > 240) events.push({ ...stored(event.machineId, seq, event), offset });
    }
    if (quarters >= 240 + seconds * 4) return events;
  }
  return events;
}

function back(bodies: readonly Buffer[]): StoredEvent[] {
  return bodies
    .flatMap((body) => decodeMessage({ contentType: FRAME_CONTENT_TYPE, body }).blocks)
    .flatMap(({ block }) => block.events())
    .sort((a, b) => a.offset - b.offset);
}

// A signal that does not change says nothing where only changes are read; it is one of the 10,000 all the same.
test.each([
  { seconds: 5, onChange: false, unitsPerDay: 600_000 },
  { seconds: 5, onChange: true, unitsPerDay: 600_000 },
  { seconds: 50, onChange: false, unitsPerDay: 400_000 },
  { seconds: 50, onChange: true, unitsPerDay: 400_000 },
])(
  "10,000 signals, $seconds s in a message, only changes: $onChange: at most $unitsPerDay units a day",
  ({ seconds, onChange, unitsPerDay }) => {
    const events = windowOf(seconds, onChange);
    const { frames, tooLarge } = packLive(events, BODY_BYTES_MAX);
    expect(tooLarge).toEqual([]);
    const signals = (MACHINES / 13) * 430;
    const bytes = frames.reduce((sum, { body }) => sum + body.length, 0);
    const perWindow = unitsOf((bytes * 10_000) / signals) + frames.length;
    expect(perWindow * (86_400 / seconds)).toBeLessThanOrEqual(unitsPerDay);
    expect(isDeepStrictEqual(back(frames.map(({ body }) => body)), events)).toBe(true);
  },
);

test("what does not fit into one frame goes into several, and an event that fits into none is told", () => {
  const events = windowOf(5, false);
  const [first] = events;
  if (first?.type !== "telemetry") throw new Error("no telemetry");
  const [sample] = first.data.samples;
  if (!sample) throw new Error("no sample");
  const noise = Array.from({ length: 9_000 }, () => ({ ...sample, value: Math.random() }));
  const giant: StoredEvent = { ...first, machineId: "redmond/giant", seq: 1, offset: 1, data: { samples: noise } };
  const { frames, tooLarge } = packLive([giant, ...events], 4_096);
  expect(tooLarge).toEqual([giant]);
  expect(frames.length).toBeGreaterThan(2);
  for (const { body } of frames) expect(body.length).toBeLessThanOrEqual(4_096);
  expect(isDeepStrictEqual(back(frames.map(({ body }) => body)), events)).toBe(true);
  expect(frames.reduce((sum, frame) => sum + frame.events, 0)).toBe(events.length);
});

test("nothing makes no frame", () => {
  expect(packLive([], BODY_BYTES_MAX)).toEqual({ frames: [], tooLarge: [] });
});
