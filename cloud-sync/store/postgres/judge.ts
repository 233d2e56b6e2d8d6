import { tooLargeIndex } from "../document-bytes.ts";
import type { CommitResult, NewDocument, Operation, Partition, Transaction } from "../event-store.ts";
import { idOf } from "./check-transaction.ts";
import { keyOf } from "./document-keys.ts";

/** A document as it stands in the database, without its contents. */
export interface StandingRow {
  readonly position: number;
  /** Its day's partition; undefined when it is kept for ever. */
  readonly storedOn: string | undefined;
}

/** What becomes of one document. */
export interface Change {
  readonly partition: Partition;
  readonly id: string;
  readonly before: StandingRow | undefined;
  /** undefined: it is removed. */
  readonly after: { readonly document: NewDocument; readonly position: number } | undefined;
}

interface Slot {
  readonly partition: Partition;
  readonly id: string;
  readonly before: StandingRow | undefined;
  etag: string | undefined;
  isTouched: boolean;
  after: Change["after"];
}

/**
 * Judges the transactions one after the other, each over what those before it have done.
 * @param standing by keyOf
 * @param nextPosition gives another, higher number each time
 */
export function judge(
  transactions: readonly Transaction[],
  standing: ReadonlyMap<string, StandingRow>,
  nextPosition: () => number,
): { results: CommitResult[]; changes: Change[] } {
  const slots = new Map<string, Slot>();
  const slotOf = (partition: Partition, id: string): Slot => {
    const key = keyOf({ partition, id });
    let slot = slots.get(key);
    if (slot === undefined) {
      const before = standing.get(key);
      const etag = before === undefined ? undefined : String(before.position);
      slot = { partition, id, before, etag, isTouched: false, after: undefined };
      slots.set(key, slot);
    }
    return slot;
  };
  const results = transactions.map(({ partition, operations }): CommitResult => {
    const large = tooLargeIndex(operations);
    if (large !== undefined) return { status: "too-large", index: large };
    const touched = operations.map((operation) => slotOf(partition, idOf(operation)));
    for (const [index, operation] of operations.entries()) {
      const status = refusalOf(operation, (touched[index] as Slot).etag);
      if (status !== undefined) return { status, index };
    }
    const etags = operations.map((operation, index) => {
      const slot = touched[index] as Slot;
      slot.isTouched = true;
      slot.after = operation.op === "remove" ? undefined : { document: operation.document, position: nextPosition() };
      slot.etag = slot.after === undefined ? undefined : String(slot.after.position);
      return slot.etag ?? "";
    });
    return { status: "done", etags };
  });
  return { results, changes: [...slots.values()].filter(({ isTouched }) => isTouched) };
}

function refusalOf(operation: Operation, etag: string | undefined): "exists" | "changed" | undefined {
  if (operation.op === "create" && etag !== undefined) return "exists";
  const wanted = operation.op === "replace" || operation.op === "remove" ? operation.etag : undefined;
  return wanted !== undefined && wanted !== etag ? "changed" : undefined;
}
