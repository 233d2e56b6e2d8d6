import { isDeepStrictEqual } from "node:util";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { JsonObject } from "../contract/event.ts";
import type { ChangedDocument, FollowedContainer } from "../services/query/changes/schema.ts";
import { documentBytes } from "../store/document-bytes.ts";
import {
  type EventStore,
  type NewDocument,
  OPERATIONS_MAX,
  type Operation,
  type Partition,
  type StoredDocument,
  TRANSACTION_BYTES_MAX,
  type Transaction,
} from "../store/event-store.ts";

export interface Applied {
  /** Written; those that are here as they came are not written again, for who counts by the feed would count them twice. */
  readonly written: number;
  /** That this store can't take. */
  readonly refused: number;
}

const ATTEMPTS_MAX = 5;

/** Makes the store have these documents. May be done again with the same, or with some of them. @throws EdgeError as the store */
export async function applyChanges(
  store: EventStore,
  container: FollowedContainer,
  changed: readonly ChangedDocument[],
  signal: AbortSignal,
): Promise<Applied> {
  let wanted = changed.map(({ stream, part, ...document }) => ({
    partition: { stream, part },
    document: newDocumentOf(document),
  }));
  let [written, refused] = [0, 0];
  for (let attempt = 0; wanted.length > 0; attempt++) {
    if (attempt === ATTEMPTS_MAX)
      throw new EdgeError("STORE_UNAVAILABLE", `something else writes the same documents of ${container}`);
    const transactions = await missing(store, container, wanted, signal);
    const results = await store.commit(container, transactions, signal);
    const again = new Set<NewDocument>();
    for (const [index, { operations }] of transactions.entries()) {
      const result = results[index];
      if (result?.status === "done") written += operations.length;
      else if (result?.status === "too-large") refused += operations.length;
      else for (const operation of operations) if (operation.op !== "remove") again.add(operation.document);
    }
    wanted = wanted.filter(({ document }) => again.has(document));
  }
  return { written, refused };
}

interface Wanted {
  readonly partition: Partition;
  readonly document: NewDocument;
}

/** What has to be written, of each partition in its order and together, as far as a transaction holds it. */
async function missing(
  store: EventStore,
  container: FollowedContainer,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): Promise<Transaction[]> {
  const found = await store.get(
    container,
    wanted.map(({ partition, document: { id } }) => ({ partition, id })),
    signal,
  );
  const transactions: { partition: Partition; operations: Operation[] }[] = [];
  const open = new Map<string, { operations: Operation[]; bytes: number }>();
  for (const [index, { partition, document }] of wanted.entries()) {
    const here = found[index];
    if (here !== undefined && isSame(here, document)) continue;
    const key = JSON.stringify([partition.stream, partition.part]);
    const bytes = documentBytes(document);
    let at = open.get(key);
    if (at === undefined || at.operations.length === OPERATIONS_MAX || at.bytes + bytes > TRANSACTION_BYTES_MAX) {
      at = { operations: [], bytes: 0 };
      open.set(key, at);
      transactions.push({ partition, operations: at.operations });
    }
    at.operations.push(here === undefined ? { op: "create", document } : { op: "replace", document, etag: here.etag });
    at.bytes += bytes;
  }
  return transactions;
}

function isSame(here: StoredDocument, document: NewDocument): boolean {
  return (
    here.kind === document.kind &&
    here.ttl === document.ttl &&
    here.inFeed === document.inFeed &&
    Buffer.compare(here.body ?? Buffer.alloc(0), document.body ?? Buffer.alloc(0)) === 0 &&
    (here.body === undefined) === (document.body === undefined) &&
    isDeepStrictEqual(here.fields, document.fields)
  );
}

function newDocumentOf({ id, kind, fields, body, ttl }: Omit<ChangedDocument, "stream" | "part">): NewDocument {
  return {
    id,
    kind,
    fields: fields as JsonObject,
    ...(body === undefined ? {} : { body: Buffer.from(body, "base64") }),
    ...(ttl === undefined ? {} : { ttl }),
  };
}
