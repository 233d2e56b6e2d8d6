import { AmqpError } from "./amqp-error.ts";

/** Event Hubs' own limit for one consumer group and partition. */
const EPOCHLESS_RECEIVERS_MAX = 5;

/** A receiver link as its rivals see it. */
export interface Rival {
  readonly name: string;
  readonly consumerGroup: string;
  readonly partition: number;
  /** Owner level; undefined for a receiver that does not claim the partition for itself. */
  readonly epoch: number | undefined;
  steal(error: AmqpError): void;
}

/** Who reads which partition for which consumer group: at most one with an owner level, or a few without. */
export class ConsumerRegistry {
  readonly #rivals = new Map<string, Set<Rival>>();

  /**
   * Lets a receiver in and throws out whom it beats; an equal owner level beats too, so that a client that comes back
   * needs not wait until its dead link is noticed.
   * @throws AmqpError amqp:link:stolen when one with a higher owner level is there, amqp:resource-limit-exceeded
   */
  admit(newcomer: Rival): void {
    const key = keyOf(newcomer);
    const rivals = this.#rivals.get(key) ?? new Set<Rival>();
    const owner = [...rivals].find(({ epoch }) => epoch !== undefined);
    const where = `consumer group '${newcomer.consumerGroup}', partition ${newcomer.partition}`;
    if (owner?.epoch !== undefined && (newcomer.epoch === undefined || newcomer.epoch < owner.epoch)) {
      const what = newcomer.epoch === undefined ? "one without an owner level" : `owner level ${newcomer.epoch}`;
      throw new AmqpError(
        "amqp:link:stolen",
        `${where} is owned by a receiver with owner level ${owner.epoch}: ${what} is not let in before it closes`,
      );
    }
    if (newcomer.epoch !== undefined) {
      for (const rival of rivals) {
        rivals.delete(rival);
        const lost =
          rival.epoch === undefined ? "one without an owner level" : `the one with owner level ${rival.epoch}`;
        rival.steal(
          new AmqpError(
            "amqp:link:stolen",
            `${where}: a receiver with owner level ${newcomer.epoch} took the place of ${lost}`,
          ),
        );
      }
    } else if (rivals.size >= EPOCHLESS_RECEIVERS_MAX) {
      throw new AmqpError(
        "amqp:resource-limit-exceeded",
        `${where} has ${EPOCHLESS_RECEIVERS_MAX} receivers without an owner level already: close one or use another group`,
      );
    }
    rivals.add(newcomer);
    this.#rivals.set(key, rivals);
  }

  leave(rival: Rival): void {
    const key = keyOf(rival);
    const rivals = this.#rivals.get(key);
    if (rivals?.delete(rival) && rivals.size === 0) this.#rivals.delete(key);
  }
}

function keyOf({ consumerGroup, partition }: Rival): string {
  return `${consumerGroup.toLowerCase()}/${partition}`;
}
