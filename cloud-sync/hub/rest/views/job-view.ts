import type { JsonMap } from "../../ports.ts";
import { timeText } from "../../services/time-text.ts";
import type { Job, JobStore } from "../../store/job-store.ts";

/** A job as the REST API shows it. */
export function jobView(job: Job, store: JobStore): JsonMap {
  const { pending, running, completed, failed, canceled } = store.countsOf(job.id);
  return {
    jobId: job.id,
    type: job.type,
    ...job.request,
    status: job.status,
    createdTime: timeText(job.createdMs),
    startTime: timeText(job.startMs),
    ...(job.endMs === null ? {} : { endTime: timeText(job.endMs) }),
    maxExecutionTimeInSeconds: job.executionMsMax / 1_000,
    ...(job.failureReason === null ? {} : { failureReason: job.failureReason }),
    deviceJobStatistics: {
      deviceCount: pending + running + completed + failed + canceled,
      failedCount: failed,
      succeededCount: completed,
      runningCount: running,
      pendingCount: pending,
    },
  };
}
