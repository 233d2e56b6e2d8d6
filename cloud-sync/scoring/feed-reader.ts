import type { Container, Continuation, EventStore, StoredDocument } from "../store/event-store.ts";
import type { Step } from "./scoring-checkpoint.ts";

const PAGE_DOCUMENTS = 256;
/** Cosmos DB splits ranges as they grow: they are asked for anew after so many rounds. */
const ROUNDS_PER_RANGES = 200;

/** A reader's way along one container's feed, range by range; where it stands is remembered by its owner. */
export class FeedReader {
  readonly #store: EventStore;
  readonly #container: Container;
  #ranges: readonly string[] = [];
  #rounds = 0;
  #next = 0;
  /** Where the last checkpoint stands, and where reading has come to since. */
  #from = new Map<string, Continuation | undefined>();
  #to = new Map<string, { continuation: Continuation | undefined; documents: number }>();

  constructor(store: EventStore, container: Container) {
    this.#store = store;
    this.#container = container;
  }

  /** Begins at the checkpoint. */
  begin(checkpoint: ReadonlyMap<string, Continuation | undefined>): void {
    this.#from = new Map(checkpoint);
    this.#to = new Map();
  }

  /**
   * The next documents of one of the ranges, in turn; undefined when no range has any.
   * @throws EdgeError STORE_UNAVAILABLE, STORE_REFUSED
   */
  async read(signal: AbortSignal): Promise<readonly StoredDocument[] | undefined> {
    if (this.#rounds % ROUNDS_PER_RANGES === 0) this.#ranges = await this.#store.feedRanges(this.#container, signal);
    for (let tried = 0; tried < this.#ranges.length; tried++) {
      const range = this.#ranges[this.#next % this.#ranges.length] as string;
      this.#next++;
      if (this.#next % this.#ranges.length === 0) this.#rounds++;
      const known = this.#to.get(range);
      const after = known === undefined ? this.#from.get(range) : known.continuation;
      const page = await this.#store.changes(this.#container, range, after, PAGE_DOCUMENTS, signal);
      if (page.documents.length === 0 && page.continuation === after) continue;
      const documents = (known?.documents ?? 0) + page.documents.length;
      this.#to.set(range, { continuation: page.continuation, documents });
      if (page.documents.length > 0) return page.documents;
    }
    return undefined;
  }

  /** What a checkpoint has to move. */
  get steps(): readonly Step[] {
    return [...this.#to].map(([range, { continuation, documents }]) => ({
      range,
      from: this.#from.get(range),
      to: continuation,
      documents,
    }));
  }

  /** The checkpoint has been moved by `steps`. */
  moved(steps: readonly Step[]): void {
    for (const { range, to } of steps) {
      this.#from.set(range, to);
      this.#to.delete(range);
    }
  }
}
