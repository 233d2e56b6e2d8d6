import { decodeBlock } from "../block/block.ts";
import type { DecodedBlock } from "../block/decoded-block.ts";
import type { StoredEvent } from "../event.ts";
import { decodeBundle } from "./bundle.ts";
import { decodeEvents, EVENTS_CONTENT_TYPE } from "./events-json.ts";
import { decodeFrame, FRAME_CONTENT_TYPE } from "./frame.ts";
import { FrameError, guardedFrame } from "./frame-error.ts";
import type { RollupPart } from "./rollup-part.ts";

/** A run of one machine's events that arrived. */
export interface ReceivedBlock {
  readonly block: DecodedBlock;
  /** As the box stores it, chained to the block before by its hash; undefined for fresh events, which come again so chained or not at all. */
  readonly bytes: Uint8Array | undefined;
}

export interface ReceivedMessage {
  readonly blocks: readonly ReceivedBlock[];
  readonly rollups: readonly RollupPart[];
  readonly events: readonly StoredEvent[];
}

/**
 * What a message of an uplink holds, whichever form it came in; checksums are proved, blocks decode what they are asked for.
 * @throws FrameError when it is no message of ours, or damaged
 */
export function decodeMessage({ contentType, body }: { contentType: string; body: Uint8Array }): ReceivedMessage {
  if (contentType.startsWith(EVENTS_CONTENT_TYPE))
    return { blocks: [], rollups: [], events: decodeEvents(body).events };
  if (contentType !== FRAME_CONTENT_TYPE) throw new FrameError("version", `a message of type ${contentType}`);
  const blocks: ReceivedBlock[] = [];
  const rollups: RollupPart[] = [];
  for (const part of decodeFrame(body)) {
    if (part.kind === "rollup") rollups.push(part.rollup);
    else if (part.kind === "bundle")
      blocks.push(...decodeBundle(part.bytes).map((block) => ({ block, bytes: undefined })));
    else blocks.push({ block: guardedFrame("a block", () => decodeBlock(part.bytes)), bytes: part.bytes });
  }
  return { blocks, rollups, events: [] };
}
