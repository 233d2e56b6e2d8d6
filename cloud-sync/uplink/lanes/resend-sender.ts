import { FRAME_CONTENT_TYPE } from "../../contract/frame/frame.ts";
import { packLive } from "../pack/pack-live.ts";
import { bytesOf, messageOf } from "../parcel.ts";
import type { Window } from "../window.ts";
import { type LaneDeps, ReadSize } from "./lane-deps.ts";

const LOOK_MS = 1_000;

/** Sends again what was asked for again, a piece at a time, at the pace of a backlog. */
export class ResendSender {
  readonly #deps: LaneDeps;
  readonly #window: Window;
  readonly #readSize: ReadSize;

  constructor(deps: LaneDeps, window: Window) {
    this.#deps = deps;
    this.#window = window;
    this.#readSize = new ReadSize(deps.limits.readEventsMax);
  }

  /** For the life of a session. @throws EdgeError of the log */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) if (!(await this.#step(signal))) await this.#deps.clock.sleep(LOOK_MS, signal);
  }

  /** Whether there may be more at once. */
  async #step(signal: AbortSignal): Promise<boolean> {
    const { log, state, pace, site } = this.#deps;
    const range = state.nextResend();
    if (range === undefined) return false;
    const events = log
      .readStream(range.machineId, range.nextSeq - 1, { limitEvents: this.#readSize.events })
      .filter(({ seq }) => seq <= range.lastSeq);
    this.#readSize.saw(events);
    const last = events.at(-1);
    if (last === undefined) {
      // The rest is not here any more: the ledger says what became of it.
      state.saveResend(range, range.lastSeq + 1);
      return true;
    }
    const { frames, tooLarge } = packLive(events, pace.backlogBodyBytesMax);
    for (const event of tooLarge) this.#deps.tooLarge("telemetry", event);
    const all: Promise<void>[] = [];
    for (const frame of frames) {
      const message = messageOf("telemetry", site, { body: frame.body, contentType: FRAME_CONTENT_TYPE });
      const bytes = bytesOf(message);
      if (!(await this.#window.room(signal)) || !(await pace.take(bytes, "backlog", signal))) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#window.add({ message, bytes, events: frame.events, contents: frame.contents, settled: () => resolve() });
      all.push(promise);
    }
    const { promise: aborted, resolve: abort } = Promise.withResolvers<false>();
    const onAbort = (): void => abort(false);
    signal.addEventListener("abort", onAbort, { once: true });
    const isThere = await Promise.race([Promise.all(all).then(() => true), aborted]);
    signal.removeEventListener("abort", onAbort);
    if (isThere) state.saveResend(range, last.seq + 1);
    return isThere;
  }
}
