import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import type { EventStore } from "../store/event-store.ts";
import type { Arrival, Refusal } from "./arrival.ts";
import type { RefusedMessage } from "./quarantine.ts";
import { type HubMessage, type ReadMessage, readMessage } from "./read-message.ts";
import type { TelemetryWriter, Written } from "./telemetry-writer.ts";

export interface MessageWriterOptions {
  readonly store: EventStore;
  readonly writer: TelemetryWriter;
}

/** A message and what it holds. */
export interface TakenMessage {
  /** Its number in `read`; another one for each message that is written together. */
  readonly number: number;
  readonly message: HubMessage;
  readonly read: ReadMessage;
}

export function takeMessage(message: HubMessage, number = message.sequenceNumber): TakenMessage {
  return { number, message, read: readMessage(message, number) };
}

export interface WrittenMessages extends Omit<Written, "refusals"> {
  /** For the quarantine. */
  readonly refused: readonly RefusedMessage[];
}

type Counts = Omit<Written, "refusals">;
const NONE: Counts = { documents: 0, events: 0, samples: 0, duplicates: 0, conflicts: 0 };
/** Written over and over, when the store has refused something: does it take anything at all? */
const PROBE = { partition: { stream: "tailstock/probe", part: "" }, id: "probe" } as const;

/** Writes messages, and finds those that the store never takes: so they hold up nothing, and nothing else is taken for one of them. */
export class MessageWriter {
  readonly #store: EventStore;
  readonly #writer: TelemetryWriter;

  constructor({ store, writer }: MessageWriterOptions) {
    this.#store = store;
    this.#writer = writer;
  }

  /** @throws EdgeError as the store; STORE_REFUSED only when it takes nothing at all */
  async write(messages: readonly TakenMessage[], signal: AbortSignal): Promise<WrittenMessages> {
    const arrivals = messages.flatMap(({ read }) => read.arrivals);
    const { counts, refusals } = await this.#writeArrivals(arrivals, signal);
    const ofStore = Map.groupBy(refusals, ({ message }) => message);
    const refused = messages.map(({ number, message, read }): RefusedMessage => {
      return { message, refusals: [...read.refusals, ...(ofStore.get(number) ?? [])] };
    });
    return { ...counts, refused: refused.filter((each) => each.refusals.length > 0) };
  }

  async #writeArrivals(
    arrivals: readonly Arrival[],
    signal: AbortSignal,
  ): Promise<{ counts: Counts; refusals: readonly Refusal[] }> {
    if (arrivals.length === 0) return { counts: NONE, refusals: [] };
    try {
      const { refusals, ...counts } = await this.#writer.write(arrivals, signal);
      return { counts, refusals };
    } catch (error) {
      if (!(error instanceof EdgeError && error.code === "STORE_REFUSED")) throw error;
      const [only] = arrivals;
      if (arrivals.length === 1 && only !== undefined) {
        await this.#probe(error, signal);
        return { counts: NONE, refusals: [{ message: only.message, code: "store", reason: messageOf(error) }] };
      }
      const middle = arrivals.length >> 1;
      const left = await this.#writeArrivals(arrivals.slice(0, middle), signal);
      const right = await this.#writeArrivals(arrivals.slice(middle), signal);
      return { counts: sumOf(left.counts, right.counts), refusals: [...left.refusals, ...right.refusals] };
    }
  }

  /** @throws the refusal when the store refuses everything: then it is not the message's fault */
  async #probe(refusal: EdgeError, signal: AbortSignal): Promise<void> {
    const { partition, id } = PROBE;
    const document = { id, kind: "probe", fields: {}, ttl: "never", inFeed: false } as const;
    try {
      await this.#store.commit("telemetry", [{ partition, operations: [{ op: "upsert", document }] }], signal);
    } catch (error) {
      throw error instanceof EdgeError && error.code === "STORE_REFUSED" ? refusal : error;
    }
  }
}

function sumOf(a: Counts, b: Counts): Counts {
  return {
    documents: a.documents + b.documents,
    events: a.events + b.events,
    samples: a.samples + b.samples,
    duplicates: a.duplicates + b.duplicates,
    conflicts: a.conflicts + b.conflicts,
  };
}
