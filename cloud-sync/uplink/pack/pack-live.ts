import { EVENTS_MAX, SAMPLES_MAX } from "../../contract/block/limits.ts";
import type { StoredEvent } from "../../contract/event.ts";
import { encodeBundle, type Run } from "../../contract/frame/bundle.ts";
import { encodeFrame, FRAME_OVERHEAD_BYTES, PART_OVERHEAD_BYTES } from "../../contract/frame/frame.ts";
import { FrameError } from "../../contract/frame/frame-error.ts";
import { familiesOf, runsOf } from "./runs.ts";

/** One frame of fresh events. */
export interface LiveFrame {
  readonly body: Buffer;
  readonly events: number;
  readonly samples: number;
  /** "redmond/mill-01 12–40", one for each run. */
  readonly contents: readonly string[];
}

export interface LiveFrames {
  readonly frames: readonly LiveFrame[];
  /** Events that fit into no frame, each by itself. */
  readonly tooLarge: readonly StoredEvent[];
}

interface Bundle {
  readonly bytes: Buffer;
  readonly runs: readonly Run[];
}

/**
 * Encodes fresh events, of any machines in the order of offsets, into as few frames of at most `bytesMax` as it can.
 * Pure work of some 2 µs a reading.
 */
export function packLive(events: readonly StoredEvent[], bytesMax: number): LiveFrames {
  const room = bytesMax - FRAME_OVERHEAD_BYTES - PART_OVERHEAD_BYTES;
  const tooLarge: StoredEvent[] = [];
  const bundles = familiesOf(runsOf(events)).flatMap((family) => bundlesOf(family, room, tooLarge));
  return { frames: fill(bundles, bytesMax), tooLarge };
}

function bundlesOf(runs: readonly Run[], bytesMax: number, tooLarge: StoredEvent[]): Bundle[] {
  const bytes = samplesIn(runs) > SAMPLES_MAX || eventsIn(runs) > EVENTS_MAX ? undefined : tryEncode(runs);
  if (bytes !== undefined && bytes.length <= bytesMax) return [{ bytes, runs }];
  const [first, second] = halves(runs);
  if (second.length === 0) {
    for (const run of first) tooLarge.push(...run);
    return [];
  }
  return [...bundlesOf(first, bytesMax, tooLarge), ...bundlesOf(second, bytesMax, tooLarge)];
}

/** undefined when it is more than one bundle may hold. */
function tryEncode(runs: readonly Run[]): Buffer | undefined {
  try {
    return encodeBundle(runs);
  } catch (error) {
    const isOne = runs.length === 1 && runs[0]?.length === 1;
    if (error instanceof FrameError && (error.code === "limit" || isOne)) return undefined;
    throw error;
  }
}

/** By machines while there are several, then by events; the second is empty when there is nothing left to part. */
function halves(runs: readonly Run[]): [readonly Run[], readonly Run[]] {
  const middle = runs.length >> 1;
  if (middle > 0) return [runs.slice(0, middle), runs.slice(middle)];
  const run = runs[0] ?? [];
  const at = run.length >> 1;
  if (at === 0) return [runs, []];
  return [[run.slice(0, at) as unknown as Run], [run.slice(at) as unknown as Run]];
}

/** Largest first, each into the first frame that has room for it. */
function fill(bundles: readonly Bundle[], bytesMax: number): LiveFrame[] {
  const bins: { bytes: number; readonly bundles: Bundle[] }[] = [];
  for (const bundle of bundles.toSorted((a, b) => b.bytes.length - a.bytes.length)) {
    const bytes = bundle.bytes.length + PART_OVERHEAD_BYTES;
    const bin = bins.find((each) => each.bytes + bytes <= bytesMax);
    if (bin) {
      bin.bundles.push(bundle);
      bin.bytes += bytes;
    } else bins.push({ bytes: FRAME_OVERHEAD_BYTES + bytes, bundles: [bundle] });
  }
  return bins.map(({ bundles: mine }) => {
    const runs = mine.flatMap((bundle) => bundle.runs);
    return {
      body: encodeFrame(mine.map(({ bytes }) => ({ kind: "bundle", bytes }))),
      events: eventsIn(runs),
      samples: samplesIn(runs),
      contents: runs.map(contentOf),
    };
  });
}

function contentOf(run: Run): string {
  return stretchOf(run[0].machineId, run[0].seq, run[0].seq + run.length - 1);
}

/** A run of a machine's events, for people. */
export function stretchOf(machineId: string, firstSeq: number, lastSeq: number): string {
  return firstSeq === lastSeq ? `${machineId} ${firstSeq}` : `${machineId} ${firstSeq}–${lastSeq}`;
}

function eventsIn(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.length, 0);
}

export function samplesIn(runs: readonly (readonly StoredEvent[])[]): number {
  let samples = 0;
  for (const run of runs) for (const event of run) if (event.type === "telemetry") samples += event.data.samples.length;
  return samples;
}
