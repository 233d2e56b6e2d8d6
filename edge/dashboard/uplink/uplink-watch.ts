import type { UplinkStatus } from "../../../cloud-sync/uplink/ports.ts";
import type { Clock } from "../../kernel/clock.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { LogGauge } from "../../log/log-gauge.ts";
import type { Uplink } from "../schemas/uplink.ts";
import { uplinkViewOf } from "./uplink-view.ts";

/** Where the dashboard has the uplink's word from; the uplink may be a process of its own. */
export interface UplinkSource {
  /** Whether the configuration in force has an uplink. */
  isConfigured(): boolean;
  /** Undefined before the uplink has said anything. @throws EdgeError while its file can't be read */
  status(): UplinkStatus | undefined;
}

const EVERY_MS = 1_000;

/** Looks at the uplink once a second and tells what changed. */
export class UplinkWatch {
  readonly #source: UplinkSource;
  readonly #gauge: LogGauge;
  readonly #clock: Clock;
  #told = "";

  constructor(source: UplinkSource, gauge: LogGauge, clock: Clock) {
    this.#source = source;
    this.#gauge = gauge;
    this.#clock = clock;
  }

  /** How it is now. */
  look(): Uplink {
    if (!this.#source.isConfigured()) return { configured: false, uplink: null };
    try {
      const status = this.#source.status();
      if (!status) return { configured: true, uplink: null };
      return { configured: true, uplink: uplinkViewOf(status, this.#gauge.look(), this.#clock.nowMs()) };
    } catch (error) {
      // Between two files, or while the disk refuses: the next look will tell.
      if (!(error instanceof EdgeError)) throw error;
      return { configured: true, uplink: null };
    }
  }

  async run(tell: (uplink: Uplink) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const uplink = this.look();
      const text = JSON.stringify(uplink);
      if (text !== this.#told) tell(uplink);
      this.#told = text;
      await this.#clock.sleep(EVERY_MS, signal);
    }
  }
}
