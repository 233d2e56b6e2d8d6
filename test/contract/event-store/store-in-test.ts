import type {
  CommitResult,
  EventStore,
  NewDocument,
  Partition,
  StoredDocument,
  Transaction,
} from "../../../cloud-sync/store/event-store.ts";

/** One store with a place of its own, as the suite opens it. */
export interface OpenedStore extends AsyncDisposable {
  readonly store: EventStore;
  /** Another client of the same place, as another process would have it. */
  reopen(): Promise<EventStore>;
}

export const NEVER = new AbortController().signal;
let streams = 0;

/** A partition that no other test has. */
export function fresh(part = "p"): Partition {
  return { stream: freshName("stream"), part };
}

export function freshName(kind: string): string {
  return `${kind}-${++streams}`;
}

export function note(id: string, text = id, more: Partial<NewDocument> = {}): NewDocument {
  return { id, kind: "note", fields: { text }, ...more };
}

/** The store as the tests talk to it: its container telemetry, one transaction at a time. */
export class StoreInTest {
  readonly #opened: () => OpenedStore;

  /** @param opened is asked when a test runs, for only then is the store open */
  constructor(opened: () => OpenedStore) {
    this.#opened = opened;
  }

  get store(): EventStore {
    return this.#opened().store;
  }

  get opened(): OpenedStore {
    return this.#opened();
  }

  async one(transaction: Transaction): Promise<CommitResult> {
    return (await this.store.commit("telemetry", [transaction], NEVER))[0] as CommitResult;
  }

  create(partition: Partition, ...documents: NewDocument[]): Promise<CommitResult> {
    return this.one({ partition, operations: documents.map((document) => ({ op: "create", document })) });
  }

  async read(partition: Partition, id: string): Promise<StoredDocument | undefined> {
    return (await this.store.get("telemetry", [{ partition, id }], NEVER))[0];
  }

  async idsOf(partition: Partition): Promise<string[]> {
    return (await this.store.range("telemetry", partition, { limit: 1_000 }, NEVER)).map(({ id }) => id);
  }

  async etagOf(partition: Partition, id: string): Promise<string> {
    return (await this.read(partition, id))?.etag ?? "";
  }
}
