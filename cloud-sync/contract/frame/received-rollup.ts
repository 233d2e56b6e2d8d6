import { malformed } from "../block/block-error.ts";
import { joinMinutes, type MinuteAggregate } from "../rollup/minute.ts";
import { readRollup } from "../rollup/rollup.ts";
import { guardedFrame } from "./frame-error.ts";
import type { RollupPart } from "./rollup-part.ts";

export interface RollupContent {
  /** By name of the signal, each minute once, ascending. */
  readonly minutes: ReadonlyMap<string, readonly MinuteAggregate[]>;
  /** Readings that the minutes stand for: finite numbers whose status is Good or Uncertain. */
  readonly counted: number;
  /** Readings of the range that were Bad or no numbers; nothing else is left of them. */
  readonly uncounted: number;
}

/** A roll-up that arrived: what is left of the readings of a range of one machine's events. */
export interface ReceivedRollup extends RollupPart {
  /**
   * Decodes it, anew each time: it may be large.
   * @throws FrameError when the roll-up is damaged or contradicts its range, which it then does each time
   */
  content(): RollupContent;
}

export function receivedRollup(part: RollupPart): ReceivedRollup {
  return { ...part, content: () => guardedFrame("a roll-up", () => contentOf(part)) };
}

function contentOf({ aggregates, names, samples }: RollupPart): RollupContent {
  const minutes = new Map<string, readonly MinuteAggregate[]>();
  let counted = 0;
  for (const [signal, cells] of aggregates === undefined ? [] : readRollup(aggregates)) {
    const name = names[signal];
    if (name === undefined || minutes.has(name)) throw malformed(`signal ${signal} has no name of its own`);
    minutes.set(name, joinMinutes(cells));
    for (const { count } of cells) counted += count;
  }
  if (counted > samples) throw malformed(`${counted} readings are counted, ${samples} were there`);
  return { minutes, counted, uncounted: samples - counted };
}
