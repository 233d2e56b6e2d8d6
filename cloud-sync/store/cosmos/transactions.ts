import type { Container as CosmosContainer } from "@azure/cosmos";
import { tooLargeIndex } from "../document-bytes.ts";
import type { CommitResult, Operation, Transaction } from "../event-store.ts";
import { type BatchOutcome, batchOperationOf, largestOf, outcomeOf } from "./batch.ts";
import { refusalOf } from "./cosmos-error.ts";
import { partitionKeyOf } from "./partition-key.ts";

/** Does the work, again where the account asks for it. */
type Attempt = (work: () => Promise<BatchOutcome>) => Promise<BatchOutcome>;

/** One transaction as a transactional batch; twice or more where something that was to be removed is gone already. */
export async function commitTransaction(
  container: CosmosContainer,
  { partition, operations }: Transaction,
  signal: AbortSignal,
  attempt: Attempt,
): Promise<CommitResult> {
  const tooLarge = tooLargeIndex(operations);
  if (tooLarge !== undefined) return { status: "too-large", index: tooLarge };
  const key = partitionKeyOf(partition);
  let left: readonly Operation[] = operations;
  for (;;) {
    const doing = left;
    const outcome: BatchOutcome =
      doing.length === 0 ? { status: "done", etags: [] } : await attempt(() => batch(container, key, doing));
    if (outcome.status === "done") return { status: "done", etags: etagsOf(operations, doing, outcome.etags) };
    const failed = doing[outcome.index] as Operation;
    if (outcome.status !== "gone") return { status: outcome.status, index: operations.indexOf(failed) };
    left = doing.filter((operation) => operation !== failed);
  }

  async function batch(items: CosmosContainer, pk: string, doing: readonly Operation[]): Promise<BatchOutcome> {
    try {
      const { result } = await items.items.batch(
        doing.map((operation) => batchOperationOf(partition, operation)),
        pk,
        { abortSignal: signal, contentResponseOnWriteEnabled: false },
      );
      return outcomeOf(doing, result ?? []);
    } catch (error) {
      if (refusalOf(error).status === 413) return { status: "too-large", index: largestOf(doing) };
      throw error;
    }
  }
}

function etagsOf(all: readonly Operation[], done: readonly Operation[], etags: readonly string[]): readonly string[] {
  return all.map((operation) => etags[done.indexOf(operation)] ?? "");
}
