import type { EventStore, Transaction } from "../../../store/event-store.ts";
import { claimPartition } from "./keys.ts";

const DAY_MS = 86_400_000;
/** Days that are looked through; a service that stood still for longer leaves a few small documents. */
const DAYS_BACK = 30;
const PAGE = 100;

/** Removes keys whose time is over, the answers with their claims. @returns how many */
export async function sweepKeys(store: EventStore, nowMs: number, signal: AbortSignal): Promise<number> {
  let removed = 0;
  for (let days = 2; days <= DAYS_BACK; days++) {
    const partition = claimPartition(nowMs - days * DAY_MS);
    for (;;) {
      const claims = await store.range("metadata", partition, { limit: PAGE }, signal);
      if (claims.length === 0) break;
      const answers = claims.map(({ id, fields }): Transaction => {
        return { partition: { stream: String(fields.stream), part: "" }, operations: [{ op: "remove", id }] };
      });
      // A key may have been used again: its answer is younger than this claim, and gone a day early with it.
      await store.commit("metadata", answers, signal);
      await store.commit(
        "metadata",
        [{ partition, operations: claims.map(({ id }) => ({ op: "remove", id })) }],
        signal,
      );
      removed += claims.length;
    }
  }
  return removed;
}
