import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { decodeMessage } from "../../cloud-sync/contract/frame/message.ts";
import { LedgerBuilder } from "../../cloud-sync/contract/ledger.ts";
import type { HubMessage } from "../support/hub-consumer.ts";
import { fingerprintOf } from "./factory-writer.ts";

/**
 * The office's side of the account: takes messages as the hub hands them out, in any order and any number of times, and
 * keeps of each event what it said. Two that differ under one identity are a fault.
 */
export class Office {
  readonly faults: string[] = [];
  readonly ledger = new LedgerBuilder();
  /** Events that came again, which is no fault. */
  duplicates = 0;
  messages = 0;
  readonly #prints = new Map<string, string>();

  get events(): number {
    return this.#prints.size;
  }

  printOf({ epoch, machineId, seq }: StoredEvent): string | undefined {
    return this.#prints.get(`${epoch}/${machineId}/${seq}`);
  }

  accept({ contentType, body }: HubMessage): void {
    this.messages++;
    const { blocks, events } = decodeMessage({ contentType, body });
    for (const { block } of blocks) {
      const { epoch, machineId, firstSeq, lastSeq, samples, fromMs, toMs } = block.head;
      const range = { epoch, machineId, firstSeq, lastSeq, samples, fromMs, toMs };
      this.ledger.add({ ...range, state: "sealed", previousHash: "", hash: "" });
      for (const event of block.events()) this.#take(event);
    }
    for (const event of events) this.#take(event);
  }

  #take(event: StoredEvent): void {
    const id = `${event.epoch}/${event.machineId}/${event.seq}`;
    const print = fingerprintOf(event);
    const known = this.#prints.get(id);
    if (known === undefined) this.#prints.set(id, print);
    else {
      this.duplicates++;
      if (known !== print) this.faults.push(`${id} came twice and says two things`);
    }
  }
}
