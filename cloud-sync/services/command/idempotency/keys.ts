import type { Clock } from "../../../../edge/kernel/clock.ts";
import type { JsonObject } from "../../../contract/event.ts";
import type { EventStore, NewDocument, Operation, Partition, StoredDocument } from "../../../store/event-store.ts";
import type { MetadataState } from "../../../store/metadata-document.ts";
import { Failure } from "../../http/failure.ts";

const DAY_MS = 86_400_000;
/** So long a repeated request gets its first answer. */
export const KEY_MS = DAY_MS;

export interface Answer {
  readonly status: 200 | 201;
  readonly state: MetadataState;
}

/** A request that carries a key. */
export interface Keyed {
  /** Of the key's documents. */
  readonly id: string;
  readonly hash: string;
  /** Of the entity that the request is about. */
  readonly partition: Partition;
}

/**
 * Idempotency keys. Each has two documents. The answer stands in the entity's partition and is written in the transaction of the change:
 * so a request is carried out once, whatever crashes, and however many are sent at once. The claim stands in a partition of its day and
 * says what was asked under the key: so another request under the same key is refused, whatever entity it is about. Sweeping goes by days.
 */
export class Keys {
  readonly #store: EventStore;
  readonly #clock: Clock;

  constructor(store: EventStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The first answer to a request that comes again. @throws Failure 422 when the key came with another request */
  async answerOf(keyed: Keyed, signal: AbortSignal): Promise<Answer | undefined> {
    const now = this.#clock.nowMs();
    const [answer, ...claims] = await this.#store.get(
      "metadata",
      [keyed.partition, claimPartition(now), claimPartition(now - DAY_MS)].map((partition) => ({
        partition,
        id: keyed.id,
      })),
      signal,
    );
    for (const claim of claims) if (claim !== undefined && isValid(claim, now)) checkHash(claim, keyed);
    if (answer === undefined || !isValid(answer, now)) return undefined;
    checkHash(answer, keyed);
    return { status: answer.fields.status as 200 | 201, state: answer.fields.state as unknown as MetadataState };
  }

  /** Says what is asked under the key, before it is done. @throws Failure 422 when the key came with another request meanwhile */
  async claim(keyed: Keyed, signal: AbortSignal): Promise<void> {
    const now = this.#clock.nowMs();
    const partition = claimPartition(now);
    const document = keyDocument(keyed, now, { stream: keyed.partition.stream });
    const [result] = await this.#store.commit(
      "metadata",
      [{ partition, operations: [{ op: "create", document }] }],
      signal,
    );
    if (result?.status === "done") return;
    const [claim] = await this.#store.get("metadata", [{ partition, id: keyed.id }], signal);
    if (claim !== undefined) checkHash(claim, keyed);
  }

  /** Goes into the transaction of the change, and fails it when another request under the key was quicker. */
  async operation(keyed: Keyed, answer: Answer, signal: AbortSignal): Promise<Operation> {
    const now = this.#clock.nowMs();
    const { status, state } = answer;
    const document = keyDocument(keyed, now, { status, state: state as unknown as JsonObject });
    const [old] = await this.#store.get("metadata", [{ partition: keyed.partition, id: keyed.id }], signal);
    if (old === undefined || isValid(old, now)) return { op: "create", document };
    return { op: "replace", document, etag: old.etag };
  }
}

export function claimPartition(ms: number): Partition {
  return { stream: `idempotency/${new Date(ms).toISOString().slice(0, 10)}`, part: "" };
}

function keyDocument({ id, hash }: Keyed, now: number, fields: JsonObject): NewDocument {
  return { id, kind: "key", fields: { hash, expiresMs: now + KEY_MS, ...fields }, inFeed: false };
}

function isValid({ fields }: StoredDocument, now: number): boolean {
  return Number(fields.expiresMs) > now;
}

function checkHash(document: StoredDocument, keyed: Keyed): void {
  if (document.fields.hash === keyed.hash) return;
  throw new Failure(422, "KEY_REUSED", "this Idempotency-Key came with another request before", {
    hint: "A key is for one request and its repetitions; make another one.",
  });
}
