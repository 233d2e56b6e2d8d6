import { EVENT_TYPES, type StoredEvent } from "../../contract/event.ts";
import { EVENTS_CONTENT_ENCODING, EVENTS_CONTENT_TYPE, encodeEvents } from "../../contract/frame/events-json.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { stretchOf } from "../pack/pack-live.ts";
import { bytesOf, messageOf } from "../parcel.ts";
import { CURSOR_BY_LANE } from "../ports.ts";
import { Sequence } from "../sequence.ts";
import type { Window } from "../window.ts";
import { type LaneDeps, SavedCursors } from "./lane-deps.ts";

const TYPES = EVENT_TYPES.filter((type) => type !== "telemetry");
/** The cursor follows an idle log so often, which saves the next start a look at what has nothing for this lane. */
const IDLE_SAVE_MS = 60_000;

/** Everything but telemetry, seconds after it happens; after an outage first what is newest, then all in order. */
export class PriorityLane {
  readonly #deps: LaneDeps;
  readonly #window: Window;
  readonly #cursors: SavedCursors;
  readonly #sequence = new Sequence();
  /** Offsets that were acknowledged out of turn. */
  readonly #done = new Set<number>();
  #position: number | undefined;
  /** Up to here the newest were sent out of turn. */
  #newestTo = 0;
  #saved = 0;
  #savedMs = 0;
  #waitingEvents = 0;
  #oldestMs: number | undefined;

  constructor(deps: LaneDeps, window: Window) {
    this.#deps = deps;
    this.#window = window;
    this.#cursors = new SavedCursors(deps.log);
  }

  /** All up to here is acknowledged. */
  get offset(): number {
    return this.#saved;
  }

  /** Events that are known to wait. */
  get waitingEvents(): number {
    return this.#waitingEvents;
  }

  get oldestMs(): number | undefined {
    return this.#waitingEvents > 0 ? this.#oldestMs : undefined;
  }

  forget(): void {
    this.#position = undefined;
    this.#sequence.forget();
    this.#done.clear();
    this.#newestTo = 0;
    this.#waitingEvents = 0;
  }

  /** For the life of a session. @throws EdgeError of the log */
  async run(signal: AbortSignal): Promise<void> {
    const { log, clock, limits } = this.#deps;
    if (this.#position === undefined) {
      this.#saved = log.cursor(CURSOR_BY_LANE.priority);
      this.#position = this.#saved;
      this.#cursors.begin();
    }
    await this.#newestFirst(signal);
    while (!signal.aborted) {
      const more = await this.#step(signal);
      if (more) continue;
      this.#followIdle();
      if (await log.waitPast(this.#position, signal)) await clock.sleep(limits.priorityGatherMs, signal);
    }
  }

  /** Sends the next events; whether there may be more at once. */
  async #step(signal: AbortSignal): Promise<boolean> {
    const { log, limits } = this.#deps;
    if (!(await this.#window.room(signal))) return false;
    const head = log.head();
    const events = log.readAfter(this.#position ?? 0, { limitEvents: limits.readEventsMax, types: TYPES });
    const isMore = events.length >= limits.readEventsMax;
    const to = isMore ? (events.at(-1)?.offset ?? head) : Math.max(head, events.at(-1)?.offset ?? 0);
    const fresh = events.filter(({ offset }) => !this.#done.has(offset));
    this.#position = to;
    if (events.length === 0) return false;
    const done = this.#sequence.add(() => this.#save(to));
    await this.#send(fresh, done, signal);
    return isMore;
  }

  /** Hands over all of them, also when the session ends meanwhile: they go with the next one. */
  async #send(events: readonly StoredEvent[], done: () => void, signal: AbortSignal): Promise<void> {
    const { site, tooLarge } = this.#deps;
    const { messages, tooLarge: misfits } = encodeEvents(events, BODY_BYTES_MAX, site);
    for (const event of misfits) tooLarge("priority", event);
    let left = messages.length;
    if (left === 0) done();
    this.#waitingEvents += events.length;
    this.#oldestMs ??= events[0]?.timeMs;
    for (const { body, events: mine } of messages) {
      await this.#window.room(signal);
      const content = { body, contentType: EVENTS_CONTENT_TYPE, contentEncoding: EVENTS_CONTENT_ENCODING };
      const message = messageOf("priority", site, content);
      const settled = (): void => {
        this.#waitingEvents = Math.max(0, this.#waitingEvents - mine.length);
        if (this.#waitingEvents === 0) this.#oldestMs = undefined;
        if (--left === 0) done();
      };
      this.#deps.pace.charge(body.length);
      this.#window.add({ message, bytes: bytesOf(message), events: mine.length, contents: contentsOf(mine), settled });
    }
  }

  /** When so much waits that the office would look at the past for long: the present first, out of turn. */
  async #newestFirst(signal: AbortSignal): Promise<void> {
    const { log, limits } = this.#deps;
    // Once an outage: what was made of it is sent again as it is.
    const position = Math.max(this.#position ?? 0, this.#newestTo);
    const most = limits.newestFirstEvents;
    if (log.readAfter(position, { limitEvents: most + 1, types: TYPES }).length <= most) return;
    this.#newestTo = log.head();
    const newest = new Map<number, StoredEvent>();
    for (const event of this.#lastEvents(position, most)) newest.set(event.offset, event);
    for (const { machineId } of log.streams()) {
      for (const type of TYPES) {
        const event = log.latest(machineId, type);
        if (event !== undefined && event.offset > position) newest.set(event.offset, event);
      }
    }
    const events = [...newest.values()]
      .filter(({ offset }) => !this.#done.has(offset))
      .sort((a, b) => a.offset - b.offset);
    await this.#send(
      events,
      () => {
        for (const { offset } of events) this.#done.add(offset);
      },
      signal,
    );
  }

  #lastEvents(position: number, most: number): StoredEvent[] {
    const { log } = this.#deps;
    const head = log.head();
    for (let back = most; ; back *= 4) {
      const from = Math.max(position, head - back);
      const events: StoredEvent[] = [];
      for (let after = from; ; ) {
        const read = log.readAfter(after, { limitEvents: 10_000, types: TYPES });
        events.push(...read);
        events.splice(0, Math.max(0, events.length - most));
        const last = read.at(-1);
        if (last === undefined || read.length < 10_000) break;
        after = last.offset;
      }
      if (from === position || events.length >= most) return events;
    }
  }

  #save(offset: number): void {
    this.#cursors.save(CURSOR_BY_LANE.priority, offset);
    this.#saved = offset;
    this.#savedMs = this.#deps.clock.monotonicMs();
    for (const done of this.#done) if (done <= offset) this.#done.delete(done);
  }

  #followIdle(): void {
    const isDue = this.#deps.clock.monotonicMs() - this.#savedMs >= IDLE_SAVE_MS;
    const position = this.#position ?? 0;
    if (isDue && this.#sequence.length === 0 && position > this.#saved) this.#save(position);
  }
}

function contentsOf(events: readonly StoredEvent[]): string[] {
  const spans = new Map<string, { first: number; last: number }>();
  for (const { machineId, seq } of events) {
    const span = spans.get(machineId);
    if (span) span.last = seq;
    else spans.set(machineId, { first: seq, last: seq });
  }
  return Array.from(spans, ([machineId, { first, last }]) => stretchOf(machineId, first, last));
}
