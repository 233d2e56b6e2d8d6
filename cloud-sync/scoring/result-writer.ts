import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { EventStore, NewDocument, Partition, Transaction } from "../store/event-store.ts";
import { OPERATIONS_MAX } from "../store/event-store.ts";
import { partitionOf } from "../store/telemetry-document.ts";
import { eventsDocument } from "../store/write-telemetry.ts";
import type { Scored } from "./page-scorer.ts";

/**
 * Writes what was said into scored_telemetry: a document for each event, whose id is the event's seq in a partition of its epoch. So the
 * same event, said again after a crash, from the lake, or by another process, is there already, and what was said first stays.
 */
export class ResultWriter {
  readonly #store: EventStore;
  readonly #clock: Clock;

  constructor(store: EventStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @returns how many were new @throws EdgeError STORE_UNAVAILABLE, STORE_REFUSED */
  async write(scored: readonly Scored[], signal: AbortSignal): Promise<number> {
    let waiting = transactionsOf(scored, this.#clock.nowMs());
    let created = 0;
    for (let attempt = 0; waiting.length > 0; attempt++) {
      if (attempt > 0) await this.#clock.sleep(backoffMs(attempt, { baseMs: 5, maxMs: 200 }), signal);
      const results = await this.#store.commit("scored_telemetry", waiting, signal);
      const taken: Transaction[] = [];
      for (const [i, result] of results.entries()) {
        const transaction = waiting[i] as Transaction;
        if (result.status === "done") created += transaction.operations.length;
        else if (result.status === "exists") taken.push(transaction);
        else throw new EdgeError("STORE_REFUSED", `a score was not taken: ${result.status}`);
      }
      waiting = await this.#withoutKnown(taken, signal);
    }
    return created;
  }

  /** What is not there yet. */
  async #withoutKnown(transactions: readonly Transaction[], signal: AbortSignal): Promise<Transaction[]> {
    const keys = transactions.flatMap(({ partition, operations }) =>
      operations.flatMap((operation) => (operation.op === "create" ? [{ partition, id: operation.document.id }] : [])),
    );
    if (keys.length === 0) return [];
    const found = await this.#store.get("scored_telemetry", keys, signal);
    let at = 0;
    return transactions.flatMap(({ partition, operations }) => {
      const left = operations.filter(() => found[at++] === undefined);
      return left.length === 0 ? [] : [{ partition, operations: left }];
    });
  }
}

function transactionsOf(scored: readonly Scored[], enqueuedMs: number): Transaction[] {
  const byPartition = new Map<string, { partition: Partition; documents: Map<string, NewDocument> }>();
  for (const { event, factoryId } of scored) {
    const partition = partitionOf(event);
    const key = JSON.stringify([partition.stream, partition.part]);
    let group = byPartition.get(key);
    if (group === undefined) {
      group = { partition, documents: new Map() };
      byPartition.set(key, group);
    }
    const document = eventsDocument([event], { factoryId, deviceId: "", enqueuedMs });
    // Of two that a detector said of one event, the first counts.
    if (!group.documents.has(document.id)) group.documents.set(document.id, document);
  }
  return [...byPartition.values()].flatMap(({ partition, documents }) => {
    const all = [...documents.values()];
    const transactions: Transaction[] = [];
    for (let from = 0; from < all.length; from += OPERATIONS_MAX) {
      const own = all.slice(from, from + OPERATIONS_MAX);
      transactions.push({ partition, operations: own.map((document) => ({ op: "create", document })) });
    }
    return transactions;
  });
}
