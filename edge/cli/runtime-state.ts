import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { LogReader } from "../log/event-log.ts";
import { readRuntimeFile } from "./runtime-file.ts";
import { durationText, harmless } from "./text.ts";

/** A running collector commits at least every half minute (each connection's counters): longer silence means that none runs. */
const SILENT_AFTER_MS = 45_000;
const HEALTH_TIMEOUT_MS = 1_500;

export interface RuntimeState {
  readonly state: "running" | "not-running";
  /** One sentence that says what this was concluded from. */
  readonly detail: string;
  readonly pid: number | null;
  /** UTC epoch ms of the newest event, null in an empty log. */
  readonly lastCommitMs: number | null;
  readonly lastCommitAgeMs: number | null;
  readonly dashboard: { readonly url: string; readonly answers: boolean; readonly detail: string } | null;
}

/**
 * Whether a runtime writes this log, by two witnesses: the age of the newest commit and the dashboard's /api/health.
 * @param dashboardUrl asked instead of the address that the runtime left beside its log
 */
export async function runtimeState(log: LogReader, nowMs: number, dashboardUrl?: string): Promise<RuntimeState> {
  const file = readRuntimeFile(log.path);
  const lastCommitMs = newestEvent(log)?.timeMs ?? null;
  const lastCommitAgeMs = lastCommitMs === null ? null : nowMs - lastCommitMs;
  const url = dashboardUrl ?? (file?.alive ? file.dashboardUrl : null);
  const dashboard = url === null ? null : await askHealth(url);
  const isWriting = lastCommitAgeMs !== null && Math.abs(lastCommitAgeMs) < SILENT_AFTER_MS;
  // What ended, in order or not, is over, unless something else has written since (a module knows no such file).
  const isOver = file !== undefined && !file.alive && (lastCommitMs ?? 0) <= (file.endedMs ?? Number.POSITIVE_INFINITY);
  const isRunning = isWriting && !isOver;
  const commit =
    lastCommitAgeMs === null ? "nothing was ever written" : `last commit ${durationText(lastCommitAgeMs)} ago`;
  const isKilled = isOver && file?.endedMs === null ? `; process ${file.pid} is gone without having said goodbye` : "";
  const ended =
    isOver && typeof file?.endedMs === "number" ? `; ended in order ${durationText(nowMs - file.endedMs)} ago` : "";
  const health = dashboard ? `; dashboard ${dashboard.url} ${dashboard.detail}` : "";
  return {
    state: isRunning ? "running" : "not-running",
    detail: `${commit}${isKilled}${ended}${health}`,
    pid: file?.alive ? file.pid : null,
    lastCommitMs,
    lastCommitAgeMs,
    dashboard,
  };
}

/** The newest event; after a restore or a salvage the head is beyond it. */
function newestEvent(log: LogReader): StoredEvent | undefined {
  const atHead = log.readAfter(log.head() - 1, { limitEvents: 1 })[0];
  if (atHead) return atHead;
  return log
    .streams()
    .flatMap(({ machineId, lastSeq }) => log.readStream(machineId, lastSeq - 1, { limitEvents: 1 }))
    .sort((a, b) => b.offset - a.offset)[0];
}

async function askHealth(url: string): Promise<{ url: string; answers: boolean; detail: string }> {
  try {
    const response = await fetch(new URL("/api/health", url), { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok
      ? { url, answers: true, detail: "answers" }
      : { url, answers: false, detail: `answers with HTTP ${response.status}` };
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return { url, answers: false, detail: `does not answer (${harmless(reason)})` };
  }
}
