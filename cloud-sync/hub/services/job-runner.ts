import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { messageOf } from "../../../edge/kernel/errors.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import { HubError } from "../hub-error.ts";
import type { Hub, Json, JsonMap } from "../ports.ts";
import { holds } from "../query/evaluate.ts";
import { parseCondition } from "../query/parser.ts";
import type { DocumentSource } from "../query/run-query.ts";
import { unhurried } from "../query/unhurried.ts";
import type { Job, JobStore } from "../store/job-store.ts";
import { isMap } from "./configuration-content.ts";
import type { Documents } from "./documents.ts";
import { type MethodCall, methodRequestOf } from "./method-call.ts";
import { timeText } from "./time-text.ts";

/** A job that is scheduled for now begins within this time. */
const POLL_INTERVAL_MS = 500;
const JOBS_AT_ONCE = 10;
const DEVICES_AT_ONCE = 10;
const DEVICES_MAX = 100_000;
const PAGE_ROWS = 500;

/**
 * Runs jobs when their time comes, device after device. A device is asked at least once: one that was being asked when the
 * hub went down is asked again when it is back.
 */
export class JobRunner {
  readonly #hub: Pick<Hub, "twins" | "links">;
  readonly #store: JobStore;
  readonly #documents: () => Documents;
  readonly #clock: Clock;
  readonly #failures: FailureLog;

  constructor(deps: {
    readonly hub: Pick<Hub, "twins" | "links">;
    readonly store: JobStore;
    readonly documents: () => Documents;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#hub = deps.hub;
    this.#store = deps.store;
    this.#documents = deps.documents;
    this.#clock = deps.clock;
    this.#failures = new FailureLog(deps.logger, deps.clock, { component: "hub jobs" });
  }

  /** Until the signal aborts; what runs then goes on at the next start. */
  async run(signal: AbortSignal): Promise<void> {
    const running = new Map<string, Promise<void>>();
    while (!signal.aborted) {
      try {
        for (const job of this.#store.due()) {
          if (running.size >= JOBS_AT_ONCE) break;
          if (running.has(job.id)) continue;
          const done = this.#runJob(job, signal)
            .then(() => this.#failures.recovered())
            .catch((error: unknown) => this.#failures.failed(error, { job: job.id }))
            .finally(() => running.delete(job.id));
          running.set(job.id, done);
        }
      } catch (error) {
        this.#failures.failed(error);
      }
      await this.#clock.sleep(POLL_INTERVAL_MS, signal);
    }
    await Promise.all(running.values());
  }

  async #runJob(job: Job, signal: AbortSignal): Promise<void> {
    const { id } = job;
    const untilMs = this.#clock.nowMs() + job.executionMsMax;
    try {
      if (job.status === "queued") this.#store.begin(id, await this.#select(job));
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.#store.begin(id, []);
      this.#store.end(id, "failed", error.message);
      return;
    }
    const pending = this.#store.pendingDevices(id);
    const next = async (): Promise<void> => {
      for (let deviceId = pending.shift(); deviceId !== undefined; deviceId = pending.shift()) {
        if (signal.aborted || this.#store.get(id).status !== "running") return;
        if (this.#clock.nowMs() > untilMs) {
          this.#store.endDevice(id, deviceId, {
            error: { code: "JobRunTimeout", description: "the job's time is over" },
          });
        } else await this.#runDevice(job, deviceId, signal);
      }
    };
    await Promise.all(Array.from({ length: DEVICES_AT_ONCE }, next));
    if (signal.aborted) return;
    const { completed, failed } = this.#store.countsOf(id);
    const isFailed = failed > 0 && completed === 0;
    this.#store.end(id, isFailed ? "failed" : "completed", isFailed ? `all ${failed} devices failed` : null);
  }

  async #select({ request }: Job): Promise<string[]> {
    const condition = parseCondition(String(request.queryCondition ?? ""));
    const found: string[] = [];
    for await (const { document } of unhurried(this.#documents().of("devices")(undefined))) {
      if (!holds(condition, document)) continue;
      if (found.length >= DEVICES_MAX) throw new HubError("ArgumentInvalid", `more than ${DEVICES_MAX} devices`);
      found.push(String(document.deviceId));
    }
    return found;
  }

  async #runDevice(job: Job, deviceId: string, signal: AbortSignal): Promise<void> {
    this.#store.startDevice(job.id, deviceId);
    try {
      const outcome = await this.#ask(job, deviceId, signal);
      if (!signal.aborted) this.#store.endDevice(job.id, deviceId, { outcome });
    } catch (error) {
      // The hub's own end cut the device off: it is asked again at the next start.
      if (signal.aborted) return;
      const code = error instanceof HubError ? error.code : "ServerError";
      this.#store.endDevice(job.id, deviceId, { error: { code, description: messageOf(error) } });
    }
  }

  async #ask({ type, request }: Job, deviceId: string, signal: AbortSignal): Promise<Json> {
    if (type === "scheduleDeviceMethod") {
      const call = methodRequestOf(request.cloudToDeviceMethod as unknown as MethodCall);
      const response = await beforeAborted(this.#hub.links.invoke({ deviceId }, call), signal);
      return { deviceMethodResponse: { status: response.status, payload: response.payload } };
    }
    const patch = isMap(request.updateTwin) ? request.updateTwin : {};
    const properties = isMap(patch.properties) ? patch.properties : {};
    const etag = typeof patch.etag === "string" ? patch.etag : undefined;
    this.#hub.twins.write(
      { deviceId },
      {
        ...(isMap(patch.tags) || patch.tags === null ? { tags: patch.tags } : {}),
        ...(isMap(properties.desired) || properties.desired === null ? { desired: properties.desired } : {}),
      },
      "patch",
      etag,
    );
    return null;
  }
}

/** What is asked for, unless the hub ends first. @throws HubError ServiceUnavailable */
function beforeAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new HubError("ServiceUnavailable", "the hub ends"));
    signal.addEventListener("abort", stop, { once: true });
    asked.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Rows of devices.jobs. */
export function jobDocuments(store: JobStore): DocumentSource {
  return function* source(after) {
    let [deviceId = "", jobId = ""] = after?.split("/") ?? [];
    for (;;) {
      const page = store.deviceJobs(deviceId, jobId, PAGE_ROWS);
      for (const row of page) {
        const { createdMs, startedMs, endedMs } = row;
        const document: JsonMap = {
          deviceId: row.deviceId,
          jobId: row.jobId,
          jobType: row.type,
          status: row.status,
          createdDateTimeUtc: timeText(createdMs),
          lastUpdatedDateTimeUtc: timeText(endedMs ?? startedMs ?? createdMs),
          ...(startedMs === null ? {} : { startTimeUtc: timeText(startedMs) }),
          ...(endedMs === null ? {} : { endTimeUtc: timeText(endedMs) }),
          ...(row.outcome === null ? {} : { outcome: row.outcome }),
          ...(row.error === null ? {} : { error: row.error }),
        };
        yield { key: `${row.deviceId}/${row.jobId}`, document };
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_ROWS) return;
      ({ deviceId, jobId } = last);
    }
  };
}
