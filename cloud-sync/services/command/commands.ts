import { randomUUID } from "node:crypto";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { JsonObject } from "../../contract/event.ts";
import type { EventStore, Operation, Partition } from "../../store/event-store.ts";
import type { MetadataState } from "../../store/metadata-document.ts";
import type { Person } from "../access/access.ts";
import { Failure } from "../http/failure.ts";
import { complete } from "./complete.ts";
import { eventDocument, partitionOf, STATE_ID, standIn, stateDocument, type Verb } from "./documents.ts";
import { checkMatch, type StoredState, tooLate } from "./etags.ts";
import { type Answer, type Keyed, Keys } from "./idempotency/keys.ts";
import { idFromKey, keyId, requestHash } from "./idempotency/request-hash.ts";
import { checkText } from "./kinds/fields.ts";
import type { Kind } from "./kinds/kind.ts";
import { References } from "./references.ts";
import { checkFactory, checkId, exists, unknown } from "./refusals.ts";

/** Who asks for a change, and how. */
export interface Asked {
  readonly person: Person;
  readonly ifMatch?: string | undefined;
  readonly key?: string | undefined;
  readonly signal: AbortSignal;
}

export interface Done extends Answer {
  /** The request had been carried out before. */
  readonly isRepeated: boolean;
}

/** What a change makes of the state before it. */
interface Next {
  readonly verb: Verb;
  readonly data: JsonObject;
  readonly deleted: boolean;
  /** Checked for all, or for those that are new. */
  readonly references: "all" | "new" | "none";
}

/** Changes metadata: an event and the state that it makes, in one transaction of the entity's partition. */
export class Commands {
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #keys: Keys;
  readonly #references: References;

  constructor(store: EventStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#keys = new Keys(store, clock);
    this.#references = new References(store);
  }

  /** @throws Failure 404 */
  async get(kind: Kind, id: string, { person, signal }: Asked): Promise<MetadataState> {
    const stored = await this.#read(kind, checkId(id), signal);
    if (stored === undefined) throw unknown(kind, id);
    checkFactory(person, stored.state.factoryId);
    return stored.state;
  }

  /** @throws Failure 400, 403, 409, 422 */
  async create(kind: Kind, given: { id?: string; data: unknown }, asked: Asked): Promise<Done> {
    if (kind.isNamed && given.id === undefined)
      throw new Failure(400, "REQUEST_INVALID", `a ${kind.label.toLowerCase()} needs an id`);
    const id = checkId(
      given.id ?? (asked.key === undefined ? randomUUID() : idFromKey(kind.kind, keyId(asked.person.id, asked.key))),
    );
    const hash = requestHash("create", kind.kind, given.id ?? "", given.data);
    return this.#write(kind, id, asked, keyedBy(asked, hash, partitionOf(kind, id)), (before) => {
      if (before !== undefined) {
        checkFactory(asked.person, before.state.factoryId);
        throw exists(kind, before.state);
      }
      return { verb: "Created", data: this.#checked(kind, given.data, undefined), deleted: false, references: "all" };
    });
  }

  /** @throws Failure 400, 403, 404, 409, 412, 422, 428 */
  async update(kind: Kind, id: string, data: unknown, asked: Asked): Promise<Done> {
    return this.#change("update", kind, id, data, asked, (state) => {
      if (state.deleted)
        throw new Failure(409, "DELETED", `this ${kind.label.toLowerCase()} is deleted`, { hint: "Restore it first." });
      return { verb: "Updated", data: this.#checked(kind, data, state.data), deleted: false, references: "new" };
    });
  }

  /** The state stays, marked. @throws as update */
  async remove(kind: Kind, id: string, asked: Asked): Promise<Done> {
    return this.#change("delete", kind, id, null, asked, (state) => {
      if (state.deleted) throw new Failure(409, "DELETED", `this ${kind.label.toLowerCase()} is deleted already`);
      return { verb: "Deleted", data: state.data, deleted: true, references: "none" };
    });
  }

  /** @throws as update */
  async restore(kind: Kind, id: string, asked: Asked): Promise<Done> {
    return this.#change("restore", kind, id, null, asked, (state) => {
      if (!state.deleted) throw new Failure(409, "NOT_DELETED", `this ${kind.label.toLowerCase()} is not deleted`);
      return { verb: "Restored", data: state.data, deleted: false, references: "all" };
    });
  }

  #change(
    what: string,
    kind: Kind,
    id: string,
    body: unknown,
    asked: Asked,
    next: (state: MetadataState) => Next,
  ): Promise<Done> {
    checkId(id);
    const hash = requestHash(what, kind.kind, id, body);
    return this.#write(kind, id, asked, keyedBy(asked, hash, partitionOf(kind, id)), (before) => {
      if (before === undefined) throw unknown(kind, id);
      checkFactory(asked.person, before.state.factoryId);
      checkMatch(asked.ifMatch, before);
      return next(before.state);
    });
  }

  async #write(
    kind: Kind,
    id: string,
    asked: Asked,
    key: Keyed | undefined,
    decide: (before: StoredState | undefined) => Next,
  ): Promise<Done> {
    const { signal } = asked;
    const first = key && (await this.#keys.answerOf(key, signal));
    if (first !== undefined) return { ...first, isRepeated: true };
    const before = await this.#read(kind, id, signal);
    let next: Next;
    try {
      next = decide(before);
    } catch (error) {
      // What is in the way may be what the same request has made since.
      const made = key && (await this.#keys.answerOf(key, signal));
      if (made !== undefined) return { ...made, isRepeated: true };
      throw error;
    }
    const state = await this.#stateAfter(kind, id, before?.state, next, asked);
    const answer: Answer = { status: before === undefined ? 201 : 200, state };
    if (key !== undefined) await this.#keys.claim(key, signal);
    const operations: Operation[] = [
      before === undefined
        ? { op: "create", document: stateDocument(state) }
        : { op: "replace", document: stateDocument(state), etag: before.etag },
      { op: "create", document: eventDocument(kind, state, next.verb) },
      ...(key === undefined ? [] : [await this.#keys.operation(key, answer, signal)]),
    ];
    const [result] = await this.#store.commit("metadata", [{ partition: partitionOf(kind, id), operations }], signal);
    if (result?.status === "done") return { ...answer, isRepeated: false };
    if (result?.status === "too-large") throw new Failure(413, "TOO_LARGE", "this is more than the store takes");
    return this.#overtaken(kind, id, before === undefined, key, signal);
  }

  /** Somebody else was quicker: the same request, or another one. */
  async #overtaken(kind: Kind, id: string, isNew: boolean, key: Keyed | undefined, signal: AbortSignal): Promise<Done> {
    const first = key && (await this.#keys.answerOf(key, signal));
    if (first !== undefined) return { ...first, isRepeated: true };
    const now = await this.#read(kind, id, signal);
    if (now === undefined) throw unknown(kind, id);
    throw isNew ? exists(kind, now.state) : tooLate(now.state);
  }

  async #stateAfter(
    kind: Kind,
    id: string,
    before: MetadataState | undefined,
    { data, deleted, references }: Next,
    { person, signal }: Asked,
  ): Promise<MetadataState> {
    const machine = await this.#references.check(kind, data, references, before?.data, signal);
    const { factoryId, machineId } = kind.subject(id, data, machine ?? standIn(before, data));
    checkFactory(person, factoryId);
    const at = new Date(this.#clock.nowMs()).toISOString();
    return {
      kind: kind.kind,
      id,
      factoryId,
      machineId,
      version: (before?.version ?? 0) + 1,
      deleted,
      data,
      createdAt: before?.createdAt ?? at,
      createdBy: before?.createdBy ?? person.name,
      changedAt: at,
      changedBy: person.name,
    };
  }

  #checked(kind: Kind, given: unknown, before: JsonObject | undefined): JsonObject {
    const data = complete(kind.data, given);
    checkText(data, "data");
    kind.check(data, before, new Date(this.#clock.nowMs()).toISOString().slice(0, 10));
    return data;
  }

  async #read(kind: Kind, id: string, signal: AbortSignal): Promise<StoredState | undefined> {
    const [document] = await this.#store.get("metadata", [{ partition: partitionOf(kind, id), id: STATE_ID }], signal);
    return document && { state: document.fields as unknown as MetadataState, etag: document.etag };
  }
}

function keyedBy({ person, key }: Asked, hash: string, partition: Partition): Keyed | undefined {
  return key === undefined ? undefined : { id: keyId(person.id, key), hash, partition };
}
