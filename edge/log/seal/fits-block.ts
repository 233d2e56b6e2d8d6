import { encodeBlock } from "../../../cloud-sync/contract/block/block-builder.ts";
import { BlockError } from "../../../cloud-sync/contract/block/block-error.ts";
import type { NewEvent, StoredEvent } from "../../../cloud-sync/contract/event.ts";

/** An event of fewer bytes in the tail fits into a block in any case. */
export const EVENT_BYTES_SURE = 100 * 1024;

/** Whether the event can be sealed: a block holds whole events, and is bounded. Costs as much as sealing it. */
export function fitsBlock(event: NewEvent): boolean {
  const entityId = event.entityId ?? "";
  try {
    encodeBlock([{ ...event, epoch: "", seq: 1, offset: 1, entityId } as StoredEvent], Buffer.alloc(16));
    return true;
  } catch (error) {
    if (error instanceof BlockError) return false;
    throw error;
  }
}
