import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { messageOf } from "../../edge/kernel/errors.ts";
import type { EventLog } from "../../edge/log/event-log.ts";
import { edgeStreamOf, type LinkState, type NewEvent } from "../contract/event.ts";
import type { Outgoing, UplinkStatus } from "./ports.ts";

/** Of messages that cannot go, one alarm in this time: an alarm that cannot go either must not beget others. */
const ALARM_MS = 60_000;

export interface LineEventsOptions {
  readonly log: EventLog;
  readonly site: string;
  readonly clock: Clock;
  readonly address: string;
  readonly logger: Logger;
}

/** Tells the box's own stream about the line: when it comes and goes, and of messages that cannot go. */
export class LineEvents {
  readonly #options: LineEventsOptions;
  #told = "";
  #alarmedMs = Number.NEGATIVE_INFINITY;
  #silent = 0;

  constructor(options: LineEventsOptions) {
    this.#options = options;
  }

  /** Attempts that fail alike are one event. */
  tell(state: UplinkStatus["state"], error: UplinkStatus["lastError"]): void {
    if (state === "connecting" || state === "stopped") return;
    const link: LinkState = state === "connected" ? "connected" : "disconnected";
    const fault = link === "connected" ? null : error;
    const key = `${link} ${fault?.code ?? ""}`;
    if (key === this.#told) return;
    this.#told = key;
    const { site, clock, address } = this.#options;
    this.#append({
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
        counters: {},
        problems: [],
      },
    });
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
