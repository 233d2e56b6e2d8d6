const MESSAGE_ID_MAX = 65_535;

/** The message ids of what one connection is sent at QoS 1 and has not acknowledged. */
export class MessageIds {
  readonly #taken = new Set<number>();
  #last = 0;

  /** One that is not in use: those who take them bound how many. */
  take(): number {
    do this.#last = (this.#last % MESSAGE_ID_MAX) + 1;
    while (this.#taken.has(this.#last));
    this.#taken.add(this.#last);
    return this.#last;
  }

  release(messageId: number): void {
    this.#taken.delete(messageId);
  }
}
