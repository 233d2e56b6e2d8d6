import { decodeMessage } from "../../cloud-sync/contract/frame/message.ts";
import type { LogReader } from "../../edge/log/event-log.ts";
import { HubConsumer, type HubMessage } from "./hub-consumer.ts";

/** Everything that has arrived at a hub, read with Microsoft's own client and told apart by the events' identities. */
export class HubReader implements AsyncDisposable {
  readonly #consumer: HubConsumer;
  readonly #seqs = new Map<string, Set<number>>();
  messages = 0;
  /** What could not be read. */
  readonly failures: string[] = [];

  /** @param connectionString of the hub's events, with EntityPath */
  constructor(connectionString: string) {
    this.#consumer = new HubConsumer(connectionString, (message) => this.#take(message)).start();
  }

  #take(message: HubMessage): void {
    this.messages += 1;
    try {
      const { blocks, events } = decodeMessage(message);
      for (const { block } of blocks) {
        const { epoch, machineId, firstSeq, lastSeq } = block.head;
        for (let seq = firstSeq; seq <= lastSeq; seq++) this.#add(epoch, machineId, seq);
      }
      for (const { epoch, machineId, seq } of events) this.#add(epoch, machineId, seq);
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

  /** Of the events in a log's ledger, those that are not here: "redmond/mill-01 12–40: 29 (sealed)"; empty when all are. */
  missingOf(log: LogReader): string[] {
    return log.ledger().flatMap(({ epoch, machineId, firstSeq, lastSeq, state }) => {
      const missing: number[] = [];
      for (let seq = firstSeq; seq <= lastSeq; seq++) if (!this.has(epoch, machineId, seq)) missing.push(seq);
      return missing.length === 0 ? [] : [`${machineId} ${missing[0]}–${missing.at(-1)}: ${missing.length} (${state})`];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#consumer[Symbol.asyncDispose]();
  }
}
