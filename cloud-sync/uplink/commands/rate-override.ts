import type { Clock } from "../../../edge/kernel/clock.ts";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { LogReader } from "../../../edge/log/event-log.ts";
import type { StoredEvent } from "../../contract/event.ts";

/** The longest that a rate may be given for, and so how far back its command can lie. */
const LIFE_MS_MAX = 7 * 86_400_000;
const COMMANDS_READ = 10_000;
/** An office that asks something every second gives as many in that time. */
const PAGES_MAX = 70;
/** A command may set another end at any time. */
const LOOK_MS = 1_000;

export interface RateOverrideDeps {
  readonly set: (bytesPerSecondMax: number | null | undefined) => void;
  readonly log: Pick<LogReader, "readTime">;
  readonly edgeStream: string;
  readonly clock: Clock;
}

/**
 * A rate that a command gave, and its end. The rate itself outlives a restart; when it ends is found again in the log,
 * where each command is recorded.
 */
export class RateOverride {
  readonly #deps: RateOverrideDeps;
  #endsMs: number | undefined;

  constructor(deps: RateOverrideDeps) {
    this.#deps = deps;
  }

  set(bytesPerSecondMax: number | null | undefined, forSeconds: number | undefined): void {
    this.#deps.set(bytesPerSecondMax);
    this.#endsMs = forSeconds === undefined ? undefined : this.#deps.clock.nowMs() + forSeconds * 1_000;
  }

  /** Ends the rate in time, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, set } = this.#deps;
    let isKnown = false;
    while (!signal.aborted) {
      if (!isKnown) isKnown = this.#recall();
      const leftMs = this.#endsMs === undefined ? LOOK_MS : this.#endsMs - clock.nowMs();
      if (leftMs <= 0) {
        this.#endsMs = undefined;
        set(undefined);
      } else await clock.sleep(Math.min(leftMs, LOOK_MS), signal);
    }
  }

  /** False while the log can't be read. */
  #recall(): boolean {
    try {
      this.#endsMs ??= this.#recordedEndMs();
      return true;
    } catch (error) {
      if (error instanceof EdgeError) return false;
      throw error;
    }
  }

  /** Of the newest setRate that was carried out. */
  #recordedEndMs(): number | undefined {
    const { log, edgeStream, clock } = this.#deps;
    const nowMs = clock.nowMs();
    let newest: StoredEvent | undefined;
    for (let afterSeq = 0, page = 0; page < PAGES_MAX; page++) {
      const commands = log.readTime(edgeStream, nowMs - LIFE_MS_MAX, nowMs + 1, {
        types: ["command"],
        limitEvents: COMMANDS_READ,
        afterSeq,
      });
      newest =
        commands.findLast(({ type, data }) => type === "command" && data.name === "setRate" && data.status === 200) ??
        newest;
      if (commands.length < COMMANDS_READ) break;
      afterSeq = commands.at(-1)?.seq ?? afterSeq;
    }
    if (newest?.type !== "command") return undefined;
    const { payload } = newest.data as { payload?: { forSeconds?: number } | null };
    return payload?.forSeconds === undefined ? undefined : newest.timeMs + payload.forSeconds * 1_000;
  }
}
