import type { Clock } from "../../../edge/kernel/clock.ts";
import type { HubEventLog } from "../ports.ts";
import { type AmqpCondition, type AmqpError, conditionOf } from "./amqp-error.ts";
import type { Rival } from "./consumer-registry.ts";
import { EventEncoder } from "./event-encoder.ts";
import type { Outlet } from "./outlet.ts";
import type { ServerSender } from "./rhea-parts.ts";

/** One turn of one link: long enough to be cheap, short enough for the others not to notice. */
const TURN_EVENTS_MAX = 256;
const TURN_BYTES_MAX = 1024 * 1024;
const PRE_SETTLED = 1;
const FORMAT = 0;

export interface ConsumerOptions {
  readonly consumerGroup: string;
  readonly partition: number;
  readonly epoch: number | undefined;
  /** Where to begin. */
  readonly sequenceNumber: number;
  /** Whether each event carries the state of its partition. */
  readonly tracksRuntime: boolean;
}

/** A receiver link of a client: reads the log straight from disk as fast as its credit and its socket allow. */
export class ConsumerLink implements Rival {
  readonly consumerGroup: string;
  readonly partition: number;
  readonly epoch: number | undefined;
  readonly #sender: ServerSender;
  readonly #outlet: Outlet;
  readonly #log: HubEventLog;
  readonly #clock: Clock;
  readonly #tracksRuntime: boolean;
  readonly #encoder = new EventEncoder();
  #next: number;
  /** All that was given to rhea, written or not. */
  #sent = 0;
  #caughtUp = false;
  #drains = false;

  constructor(sender: ServerSender, outlet: Outlet, log: HubEventLog, clock: Clock, options: ConsumerOptions) {
    this.#sender = sender;
    this.#outlet = outlet;
    this.#log = log;
    this.#clock = clock;
    this.consumerGroup = options.consumerGroup;
    this.partition = options.partition;
    this.epoch = options.epoch;
    this.#next = options.sequenceNumber;
    this.#tracksRuntime = options.tracksRuntime;
    // Nothing waits for the client's word: where it stands is its own affair, by checkpoints.
    sender.local.attach.snd_settle_mode = PRE_SETTLED;
  }

  get name(): string {
    return this.#sender.name;
  }

  /** Whether it has read all there was when it last looked. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** There is more in the log than it has read. */
  appended(): void {
    this.#caughtUp = false;
  }

  /**
   * Sends one batch, or nothing when the client gave no credit, its socket is full, or it has everything.
   * @returns whether another turn may send more; if not, it must be woken by an append or by what the client sends
   */
  turn(): boolean {
    const room = Math.min(this.#room(), TURN_EVENTS_MAX);
    // Not a number before the first flow of the session.
    if (this.#caughtUp || !(room > 0) || !this.#sender.is_open() || !this.#outlet.free()) return false;
    const events = this.#log.read(this.partition, this.#next, { events: room, bytes: TURN_BYTES_MAX });
    const last = events.at(-1);
    if (last === undefined) {
      this.#caughtUp = true;
      if (this.#drains) this.#giveBack();
      return false;
    }
    const runtime = this.#tracksRuntime
      ? { info: this.#log.info(this.partition), nowMs: this.#clock.nowMs() }
      : undefined;
    this.#outlet.together(() => {
      for (const event of events) this.#sender.send(this.#encoder.encode(event, runtime), undefined, FORMAT);
    });
    this.#sent += events.length;
    this.#next = last.sequenceNumber + 1;
    return true;
  }

  /** The client wants what credit there is used now, or given back. */
  drain(): void {
    this.#drains = true;
    if (this.#caughtUp) this.#giveBack();
  }

  steal(error: AmqpError): void {
    this.#sender.close(conditionOf(error));
  }

  fail(condition: AmqpCondition): void {
    this.#sender.close(condition);
  }

  #giveBack(): void {
    this.#drains = false;
    this.#sent += this.#sender.credit;
    this.#sender.set_drained(true);
    this.#sender.connection._register();
  }

  /** rhea takes credit away when it writes, not when it is given a message: what it still holds must be taken off here. */
  #room(): number {
    const { credit, delivery_count, session } = this.#sender;
    const held = this.#sent - delivery_count;
    return Math.min(credit - held, session.outgoing.transfer_window(), session.outgoing.available());
  }
}
