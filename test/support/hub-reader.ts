import { EventHubConsumerClient, earliestEventPosition, type ReceivedEventData } from "@azure/event-hubs";
import { decodeMessage } from "../../cloud-sync/contract/frame/message.ts";
import type { LogReader } from "../../edge/log/event-log.ts";

const BATCH_EVENTS = 200;

/** Everything that has arrived at a hub, read with Microsoft's own client and told apart by the events' identities. */
export class HubReader implements AsyncDisposable {
  readonly #client: EventHubConsumerClient;
  readonly #subscription: { close(): Promise<void> };
  readonly #seqs = new Map<string, Set<number>>();
  /** Messages that arrived, and how many of them had been here before. */
  messages = 0;
  repeats = 0;
  readonly #ids = new Set<string>();
  readonly failures: string[] = [];

  /** @param connectionString of the hub's events, with EntityPath */
  constructor(connectionString: string) {
    this.#client = new EventHubConsumerClient("$Default", connectionString, {
      retryOptions: { retryDelayInMs: 200, maxRetries: 50 },
    });
    this.#subscription = this.#client.subscribe(
      {
        processEvents: async (events) => {
          for (const event of events) this.#take(event);
        },
        processError: async (error) => {
          this.failures.push(error.message);
        },
      },
      { startPosition: earliestEventPosition, maxBatchSize: BATCH_EVENTS, maxWaitTimeInSeconds: 1 },
    );
  }

  #take(event: ReceivedEventData): void {
    this.messages += 1;
    const id = String(event.messageId ?? "");
    if (this.#ids.has(id)) this.repeats += 1;
    this.#ids.add(id);
    try {
      const message = decodeMessage({ contentType: event.contentType ?? "", body: event.body as Buffer });
      for (const { block } of message.blocks) {
        const { epoch, machineId, firstSeq, lastSeq } = block.head;
        for (let seq = firstSeq; seq <= lastSeq; seq++) this.#add(epoch, machineId, seq);
      }
      for (const { epoch, machineId, seq } of message.events) this.#add(epoch, machineId, seq);
    } catch (error) {
      this.failures.push(String(error));
    }
  }

  #add(epoch: string, machineId: string, seq: number): void {
    const stream = `${epoch} ${machineId}`;
    const seqs = this.#seqs.get(stream) ?? new Set();
    this.#seqs.set(stream, seqs.add(seq));
  }

  /** Events that have arrived, each once. */
  get events(): number {
    return [...this.#seqs.values()].reduce((sum, { size }) => sum + size, 0);
  }

  has(epoch: string, machineId: string, seq: number): boolean {
    return this.#seqs.get(`${epoch} ${machineId}`)?.has(seq) === true;
  }

  /** Of the events in a log's ledger, those that are not here, "redmond/mill-01 12–40 (sealed)"; empty when all are. */
  missingOf(log: LogReader): string[] {
    return log.ledger().flatMap(({ epoch, machineId, firstSeq, lastSeq, state }) => {
      const missing: number[] = [];
      for (let seq = firstSeq; seq <= lastSeq; seq++) if (!this.has(epoch, machineId, seq)) missing.push(seq);
      return missing.length === 0 ? [] : [`${machineId} ${missing[0]}–${missing.at(-1)}: ${missing.length} (${state})`];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscription.close();
    await this.#client.close();
  }
}
