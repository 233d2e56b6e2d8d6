import type { Clock } from "../../../edge/kernel/clock.ts";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { FailureLog } from "../../../edge/kernel/failure-log.ts";
import type { JsonObject } from "../../contract/event.ts";
import { mergePatch, patchBetween, replacing } from "./merge-patch.ts";

/** What the hub takes of reported properties; a reserve for its own metadata is left. */
export const REPORTED_BYTES_MAX = 32 * 1024 - 2_048;
/** Numbers that always move are reported so often. */
const MOVING_MS = 5 * 60_000;
/** Whether something has changed is looked at so often; who knows that it has can ring. */
const LOOK_MS = 10_000;
/** After a report that was not taken. */
const RETRY_MS = 60_000;
/** Without a connection: whether there is one again. */
const SESSION_MS = 1_000;

export interface ReporterDeps {
  /** All that is to be reported: `steady` goes when it changes, `moving` with the first report and every few minutes. */
  readonly facts: () => Promise<{ readonly steady: JsonObject; readonly moving: JsonObject }>;
  /** Names the connection of now; undefined while there is none. */
  readonly session: () => number | undefined;
  /** @throws EdgeError */
  readonly report: (patch: JsonObject) => Promise<void>;
  readonly clock: Clock;
  readonly failures: FailureLog;
}

/** Keeps the twin's reported properties as they are here: the whole after each connection, then what changed. */
export class TwinReporter {
  readonly #deps: ReporterDeps;
  /** What the hub has of us in this session; undefined: nobody knows, so all is sent. */
  #reported: JsonObject | undefined;
  /** What it had of us in the session before. */
  #before: JsonObject | undefined;
  #session: number | undefined;
  #movingMs = Number.NEGATIVE_INFINITY;
  #bell = new AbortController();

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  /** Something that is reported may have changed. */
  changed(): void {
    this.#bell.abort();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, failures, session } = this.#deps;
    while (!signal.aborted) {
      this.#bell = new AbortController();
      let pauseMs = LOOK_MS;
      try {
        const now = session();
        if (now !== this.#session) {
          this.#before = this.#reported ?? this.#before;
          this.#reported = undefined;
        }
        this.#session = now;
        if (now === undefined) pauseMs = SESSION_MS;
        else {
          await this.#step();
          failures.recovered();
        }
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error;
        pauseMs = error.code === "UPLINK_LOST" ? SESSION_MS : RETRY_MS;
        if (error.code !== "UPLINK_LOST") failures.failed(error);
      }
      await clock.sleep(pauseMs, AbortSignal.any([signal, this.#bell.signal]));
    }
  }

  async #step(): Promise<void> {
    const { clock, report } = this.#deps;
    const { steady, moving } = await this.#deps.facts();
    const nowMs = clock.monotonicMs();
    const isMovingDue = this.#reported === undefined || nowMs - this.#movingMs >= MOVING_MS;
    const whole = bounded(mergePatch(steady, moving));
    let patch: JsonObject | undefined;
    if (this.#reported !== undefined) {
      patch = patchBetween(
        this.#reported,
        isMovingDue ? whole : bounded(mergePatch(steady, onlyOld(this.#reported, moving))),
      );
    } else {
      // What an earlier run of this box reported and does not hold any more would stand there for ever.
      if (this.#before === undefined) await report({ tailstock: null });
      patch = replacing(this.#before ?? {}, whole);
    }
    if (patch === undefined) return;
    await report({ tailstock: patch });
    this.#reported = mergePatch(this.#reported ?? {}, patch);
    if (isMovingDue) this.#movingMs = nowMs;
  }
}

/** The keys of `moving` with the values that were reported last. */
function onlyOld(reported: JsonObject, moving: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.keys(moving).flatMap((key) => (key in reported ? [[key, reported[key] ?? null]] : [])),
  );
}

/** Without its largest parts as long as it is more than a hub takes; what is missing is named. */
export function bounded(properties: JsonObject): JsonObject {
  let kept: JsonObject = properties;
  const left: string[] = [];
  while (Buffer.byteLength(JSON.stringify(kept)) > REPORTED_BYTES_MAX) {
    const sizes = Object.entries(kept)
      .filter(([key]) => key !== "leftOut")
      .map(([key, value]) => [key, JSON.stringify(value).length] as const);
    const [largest] = sizes.sort((a, b) => b[1] - a[1]);
    if (largest === undefined) break;
    left.push(largest[0]);
    const { [largest[0]]: _dropped, ...rest } = kept;
    kept = { ...rest, leftOut: left };
  }
  return kept;
}
