import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { messageOf } from "../../edge/kernel/errors.ts";
import type { EventLog } from "../../edge/log/event-log.ts";
import { edgeStreamOf, type LinkState, type NewEvent } from "../contract/event.ts";
import type { Outgoing, UplinkStatus } from "./ports.ts";

/** Of messages that cannot go, one alarm in this time: an alarm that cannot go either must not beget others. */
const ALARM_MS = 60_000;

/** So many changes of the line are told at once, then one in so long. */
const CHANGES_BURST = 8;
const CHANGE_MS = 30_000;

export interface LineEventsOptions {
  readonly log: EventLog;
  readonly site: string;
  readonly clock: Clock;
  readonly address: string;
  readonly logger: Logger;
}

interface Told {
  readonly link: LinkState;
  readonly fault: UplinkStatus["lastError"];
}

/** Tells the box's own stream about the line: when it comes and goes, and of messages that cannot go. */
export class LineEvents {
  readonly #options: LineEventsOptions;
  #told = "";
  #latest: Told | undefined;
  /** Changes that may be told at once. */
  #tokens = CHANGES_BURST;
  #filledMs: number;
  /** Changes that nobody was told. */
  #untold = 0;
  #waiting: AbortController | undefined;
  #alarmedMs = Number.NEGATIVE_INFINITY;
  #silent = 0;

  constructor(options: LineEventsOptions) {
    this.#options = options;
    this.#filledMs = options.clock.monotonicMs();
  }

  /**
   * Attempts that fail alike are one event. A line that comes and goes every second is told now and then, with how often:
   * each event is a message itself, and on such a line nothing else would go.
   */
  tell(state: UplinkStatus["state"], error: UplinkStatus["lastError"]): void {
    if (state === "stopped") this.#waiting?.abort();
    if (state === "connecting" || state === "stopped") return;
    const link: LinkState = state === "connected" ? "connected" : "disconnected";
    const latest: Told = { link, fault: link === "connected" ? null : error };
    if (keyOf(latest) === (this.#latest && keyOf(this.#latest))) return;
    if (this.#waiting !== undefined) this.#untold++;
    this.#latest = latest;
    this.#tellLatest();
  }

  #tellLatest(): void {
    const { clock } = this.#options;
    const latest = this.#latest;
    if (latest === undefined || this.#waiting !== undefined || keyOf(latest) === this.#told) return;
    const nowMs = clock.monotonicMs();
    this.#tokens = Math.min(CHANGES_BURST, this.#tokens + (nowMs - this.#filledMs) / CHANGE_MS);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) {
      void this.#tellLater((1 - this.#tokens) * CHANGE_MS);
      return;
    }
    this.#tokens--;
    this.#told = keyOf(latest);
    this.#append(this.#eventOf(latest));
  }

  async #tellLater(waitMs: number): Promise<void> {
    const waiting = new AbortController();
    this.#waiting = waiting;
    await this.#options.clock.sleep(Math.ceil(waitMs), waiting.signal);
    this.#waiting = undefined;
    if (!waiting.signal.aborted) this.#tellLatest();
  }

  #eventOf({ link, fault }: Told): NewEvent {
    const { site, clock, address } = this.#options;
    const untold = this.#untold;
    this.#untold = 0;
    return {
      type: "connection",
      machineId: edgeStreamOf(site),
      timeMs: clock.nowMs(),
      data: {
        connectionId: "uplink",
        protocol: "iothub",
        address,
        state: link,
        detail: fault?.message ?? "",
        hint: fault?.hint ?? null,
        machineIds: [],
        counters: untold === 0 ? {} : { changesBefore: untold },
        problems: [],
      },
    };
  }

  setAside(deadLetter: number, { id, lane, body }: Outgoing, reason: string): void {
    const { site, clock } = this.#options;
    if (clock.monotonicMs() - this.#alarmedMs < ALARM_MS) {
      this.#silent++;
      return;
    }
    const more = this.#silent;
    this.#silent = 0;
    this.#alarmedMs = clock.monotonicMs();
    this.#append({
      type: "alarm",
      machineId: edgeStreamOf(site),
      timeMs: clock.nowMs(),
      data: {
        source: "uplink",
        what: "dead-letter",
        severity: "medium",
        message: `Message ${id} of the ${lane} lane cannot go and was set aside: ${reason}`,
        deadLetter,
        bytes: body.length,
        othersBefore: more,
      },
    });
  }

  #append(event: NewEvent): void {
    const { log, logger } = this.#options;
    log
      .append([event], "now")
      .catch((error: unknown) => logger.warn({ reason: messageOf(error) }, "an event about the line was not appended"));
  }
}

function keyOf({ link, fault }: Told): string {
  return `${link} ${fault?.code ?? ""}`;
}
