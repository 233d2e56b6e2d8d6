import { decodeBlock } from "../block/block.ts";
import type { DecodedBlock } from "../block/decoded-block.ts";
import type { StoredEvent } from "../event.ts";
import { decodeBundle } from "./bundle.ts";
import { decodeEvents, EVENTS_CONTENT_TYPE } from "./events-json.ts";
import { decodeFrame, FRAME_CONTENT_TYPE } from "./frame.ts";
import { FrameError, guardedFrame } from "./frame-error.ts";
import { type ReceivedRollup, receivedRollup } from "./received-rollup.ts";

/** A run of one machine's events that arrived. */
export interface ReceivedBlock {
  readonly block: DecodedBlock;
  /** As the box stores it, chained to the block before by its hash; undefined for fresh events, which come again so chained or not at all. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * What a consumer may rely on, and what not.
 *
 * Identity: an event is (epoch, machineId, seq), and what comes under one identity says the same each time. In an epoch and machine
 * seq has no holes; another epoch counts for itself. offset orders the events of one epoch over all machines.
 *
 * Twice: everything may come again, at any time: after a lost acknowledgement or a restart of the box, as a dead letter that is sent
 * once more, when a range is asked for again. The same body has the same message id, but the same events may also come in another
 * body, cut into other runs, fresh first and as a stored block later, and partly. Events that are not telemetry come twice as a rule:
 * in `events` within a moment, and in their turn in a block of `blocks`. So: take an event when its identity is new, else drop it.
 *
 * Order: none is promised, neither between messages nor between `blocks`, `rollups` and `events` of one. What is new overtakes a
 * backlog; after a long outage the newest events come before older ones. Within one block or run, seq ascends. A seq that is missing
 * may still come, may have been set aside at the box as a dead letter, or is explained by an event of type gap or by a roll-up.
 *
 * Roll-ups: firstSeq to lastSeq is the range of one block whose readings had to make room before the block was sent as such. Its
 * roll-up stands for the telemetry of the range that never arrives: the events themselves are not in it, and those that are not
 * telemetry come in `events`. The same range has always the same content (its names may have become more, and with them its bytes).
 * - Some or all readings of the range may have arrived, or arrive later: fresh, or in a block that was under way. The minutes count
 *   them, too, and can't be had without them. So keep roll-ups beside readings, under (epoch, machineId, firstSeq), replacing what is
 *   there; where the readings of a whole range are here they are the truth and the roll-up says nothing new; never add the two.
 * - A minute goes on in the next block: join the minutes of all the roll-ups of a machine by `joinMinutes` (rollup/minute.ts), each
 *   range once. Where a readable block lies beside a roll-up, the minute between them is partly in either.
 * - In a ledger the range is thinned, not here. That it was thinned is told by a gap event, too, whose `aggregates` is true.
 */
export interface ReceivedMessage {
  readonly blocks: readonly ReceivedBlock[];
  readonly rollups: readonly ReceivedRollup[];
  /** Of a priority message. */
  readonly events: readonly StoredEvent[];
}

/**
 * What a message of an uplink holds, whichever form it came in; checksums are proved. Blocks and roll-ups decode what they are asked for: a
 * forged one with true checksums throws BlockError, a roll-up FrameError, only then.
 * @throws FrameError when it is no message of ours, or damaged
 */
export function decodeMessage({ contentType, body }: { contentType: string; body: Uint8Array }): ReceivedMessage {
  if (contentType.startsWith(EVENTS_CONTENT_TYPE))
    return { blocks: [], rollups: [], events: decodeEvents(body).events };
  if (contentType !== FRAME_CONTENT_TYPE) throw new FrameError("version", `a message of type ${contentType}`);
  const blocks: ReceivedBlock[] = [];
  const rollups: ReceivedRollup[] = [];
  for (const part of decodeFrame(body)) {
    if (part.kind === "rollup") rollups.push(receivedRollup(part.rollup));
    else if (part.kind === "bundle")
      blocks.push(...decodeBundle(part.bytes).map((block) => ({ block, bytes: undefined })));
    else blocks.push({ block: guardedFrame("a block", () => decodeBlock(part.bytes)), bytes: part.bytes });
  }
  return { blocks, rollups, events: [] };
}
