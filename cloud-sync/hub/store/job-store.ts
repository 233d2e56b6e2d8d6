import type Database from "better-sqlite3";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { HubError } from "../hub-error.ts";
import type { Json, JsonMap } from "../ports.ts";

/** Jobs kept; the oldest that ended go first. */
const JOBS_MAX = 1_000;
const ID = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$/;

export const JOB_TYPES = ["scheduleDeviceMethod", "scheduleUpdateTwin"] as const;
export type JobType = (typeof JOB_TYPES)[number];
export const JOB_STATUSES = ["queued", "running", "completed", "failed", "cancelled"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export type DeviceJobStatus = "pending" | "running" | "completed" | "failed" | "canceled";

export interface JobWrite {
  readonly type: JobType;
  /** cloudToDeviceMethod or updateTwin, and queryCondition, as the service wrote them. */
  readonly request: JsonMap;
  readonly startMs: number;
  readonly executionMsMax: number;
}

export interface Job extends JobWrite {
  readonly id: string;
  readonly status: JobStatus;
  readonly createdMs: number;
  readonly endMs: number | null;
  readonly failureReason: string | null;
}

export interface DeviceJob {
  readonly jobId: string;
  readonly deviceId: string;
  readonly type: JobType;
  readonly status: DeviceJobStatus;
  readonly outcome: Json;
  readonly error: Json;
  readonly createdMs: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
}

interface JobRow {
  id: string;
  type: JobType;
  request: string;
  status: JobStatus;
  created_ms: number;
  start_ms: number;
  execution_ms_max: number;
  end_ms: number | null;
  failure_reason: string | null;
}

interface DeviceRow {
  job_id: string;
  device_id: string;
  type: JobType;
  status: DeviceJobStatus;
  outcome: string | null;
  error: string | null;
  created_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
}

const COLUMNS = "id, type, request, status, created_ms, start_ms, execution_ms_max, end_ms, failure_reason";

/** Jobs of services over many devices, and how each device fared. */
export class JobStore {
  readonly #database: Database.Database;
  readonly #clock: Clock;

  constructor(database: Database.Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** @throws HubError ArgumentInvalid (the id), JobAlreadyExists, QuotaExceeded */
  create(id: string, { type, request, startMs, executionMsMax }: JobWrite): Job {
    if (!ID.test(id)) throw new HubError("ArgumentInvalid", `"${id}" is not an id of a job`);
    if (this.#find(id) !== undefined) throw new HubError("JobAlreadyExists", `there is a job ${id} already`);
    this.#makeRoom();
    this.#database
      .prepare(
        "INSERT INTO job (id, type, request, status, created_ms, start_ms, execution_ms_max) VALUES (?, ?, ?, 'queued', ?, ?, ?)",
      )
      .run(id, type, JSON.stringify(request), Math.floor(this.#clock.nowMs()), Math.floor(startMs), executionMsMax);
    return this.get(id);
  }

  /** @throws HubError JobNotFound */
  get(id: string): Job {
    const job = this.#find(id);
    if (job === undefined) throw new HubError("JobNotFound", `there is no job ${id}`);
    return job;
  }

  /** In the order of their ids. */
  list(after: string, limit: number, type: string | undefined, status: string | undefined): Job[] {
    return this.#database
      .prepare<unknown[], JobRow>(
        `SELECT ${COLUMNS} FROM job WHERE id > @after AND (@type IS NULL OR type = @type)
         AND (@status IS NULL OR status = @status) ORDER BY id LIMIT @limit`,
      )
      .all({ after, limit, type: type ?? null, status: status ?? null })
      .map(jobOf);
  }

  /** Those whose time has come, and those that ran when the hub went down. */
  due(): Job[] {
    return this.#database
      .prepare<[number], JobRow>(
        `SELECT ${COLUMNS} FROM job WHERE status = 'running' OR (status = 'queued' AND start_ms <= ?) ORDER BY start_ms, id`,
      )
      .all(this.#clock.nowMs())
      .map(jobOf);
  }

  /** Running from now on, over these devices. */
  begin(id: string, deviceIds: readonly string[]): void {
    const insert = this.#database.prepare(
      "INSERT INTO job_device (job_id, device_id, status, created_ms) VALUES (?, ?, 'pending', ?) ON CONFLICT DO NOTHING",
    );
    this.#database.transaction(() => {
      this.#database.prepare("UPDATE job SET status = 'running' WHERE id = ?").run(id);
      for (const deviceId of deviceIds) insert.run(id, deviceId, Math.floor(this.#clock.nowMs()));
    })();
  }

  /** Ends it, unless it was cancelled meanwhile. */
  end(id: string, status: "completed" | "failed", failureReason: string | null): void {
    this.#database
      .prepare("UPDATE job SET status = ?, failure_reason = ?, end_ms = ? WHERE id = ? AND status = 'running'")
      .run(status, failureReason, Math.floor(this.#clock.nowMs()), id);
  }

  /** Devices that were not asked yet are not asked any more. @throws HubError JobNotFound */
  cancel(id: string): Job {
    const nowMs = Math.floor(this.#clock.nowMs());
    this.get(id);
    this.#database.transaction(() => {
      this.#database
        .prepare("UPDATE job SET status = 'cancelled', end_ms = ? WHERE id = ? AND status IN ('queued', 'running')")
        .run(nowMs, id);
      this.#database
        .prepare("UPDATE job_device SET status = 'canceled', ended_ms = ? WHERE job_id = ? AND status = 'pending'")
        .run(nowMs, id);
    })();
    return this.get(id);
  }

  pendingDevices(id: string): string[] {
    return this.#database
      .prepare<[string], string>(
        "SELECT device_id FROM job_device WHERE job_id = ? AND status IN ('pending', 'running') ORDER BY device_id",
      )
      .pluck()
      .all(id);
  }

  startDevice(id: string, deviceId: string): void {
    this.#database
      .prepare("UPDATE job_device SET status = 'running', started_ms = ? WHERE job_id = ? AND device_id = ?")
      .run(Math.floor(this.#clock.nowMs()), id, deviceId);
  }

  endDevice(id: string, deviceId: string, result: { readonly outcome: Json } | { readonly error: JsonMap }): void {
    const isFine = "outcome" in result;
    this.#database
      .prepare(
        "UPDATE job_device SET status = ?, outcome = ?, error = ?, ended_ms = ? WHERE job_id = ? AND device_id = ?",
      )
      .run(
        isFine ? "completed" : "failed",
        isFine ? JSON.stringify(result.outcome) : null,
        isFine ? null : JSON.stringify(result.error),
        Math.floor(this.#clock.nowMs()),
        id,
        deviceId,
      );
  }

  countsOf(id: string): Readonly<Record<DeviceJobStatus, number>> {
    const rows = this.#database
      .prepare<[string], { status: DeviceJobStatus; n: number }>(
        "SELECT status, count(*) AS n FROM job_device WHERE job_id = ? GROUP BY status",
      )
      .all(id);
    const counts = { pending: 0, running: 0, completed: 0, failed: 0, canceled: 0 };
    for (const { status, n } of rows) counts[status] = n;
    return counts;
  }

  /** In the order of device and job. */
  deviceJobs(afterDeviceId: string, afterJobId: string, limit: number): DeviceJob[] {
    return this.#database
      .prepare<[string, string, number], DeviceRow>(
        `SELECT d.job_id, d.device_id, j.type, d.status, d.outcome, d.error, d.created_ms, d.started_ms, d.ended_ms
         FROM job_device AS d JOIN job AS j ON j.id = d.job_id
         WHERE (d.device_id, d.job_id) > (?, ?) ORDER BY d.device_id, d.job_id LIMIT ?`,
      )
      .all(afterDeviceId, afterJobId, limit)
      .map((row) => ({
        jobId: row.job_id,
        deviceId: row.device_id,
        type: row.type,
        status: row.status,
        outcome: parsed(row.outcome),
        error: parsed(row.error),
        createdMs: row.created_ms,
        startedMs: row.started_ms,
        endedMs: row.ended_ms,
      }));
  }

  #find(id: string): Job | undefined {
    const row = this.#database.prepare<[string], JobRow>(`SELECT ${COLUMNS} FROM job WHERE id = ?`).get(id);
    return row === undefined ? undefined : jobOf(row);
  }

  #makeRoom(): void {
    const count = this.#database.prepare<[], number>("SELECT count(*) FROM job").pluck().get() ?? 0;
    if (count < JOBS_MAX) return;
    const removed = this.#database
      .prepare(
        `DELETE FROM job WHERE id IN (SELECT id FROM job WHERE status NOT IN ('queued', 'running') ORDER BY end_ms LIMIT ?)`,
      )
      .run(count - JOBS_MAX + 1);
    if (removed.changes === 0) throw new HubError("QuotaExceeded", `${JOBS_MAX} jobs wait or run already`);
  }
}

function jobOf(row: JobRow): Job {
  return {
    id: row.id,
    type: row.type,
    request: JSON.parse(row.request) as JsonMap,
    status: row.status,
    createdMs: row.created_ms,
    startMs: row.start_ms,
    executionMsMax: row.execution_ms_max,
    endMs: row.end_ms,
    failureReason: row.failure_reason,
  };
}

function parsed(text: string | null): Json {
  return text === null ? null : (JSON.parse(text) as Json);
}
