import { readFileSync } from "node:fs";
import { readRuntimeFile } from "./runtime-file.ts";

export interface WrittenBytes {
  readonly pid: number;
  /** What the process has handed to the disk since it began, by the kernel's count; checkpoints and sealing included. */
  readonly bytes: number;
  readonly bytesPerS: number;
  /** At the present rate of readings; null when nothing comes in. */
  readonly bytesPerReading: number | null;
}

/**
 * How hard the running collector of this log is on its disk (flash wear).
 * @returns null when none runs, or where the kernel does not tell (only Linux does)
 */
export function writtenBytes(logPath: string, nowMs: number, readingsPerS: number): WrittenBytes | null {
  const runtime = readRuntimeFile(logPath);
  if (!runtime?.alive) return null;
  try {
    const io = readFileSync(`/proc/${runtime.pid}/io`, "utf8");
    const bytes = Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? Number.NaN);
    const uptimeS = (nowMs - runtime.startedMs) / 1_000;
    if (!Number.isFinite(bytes) || uptimeS <= 0) return null;
    const bytesPerS = bytes / uptimeS;
    return { pid: runtime.pid, bytes, bytesPerS, bytesPerReading: readingsPerS > 0 ? bytesPerS / readingsPerS : null };
  } catch {
    return null;
  }
}
