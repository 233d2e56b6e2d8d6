import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Where the runtime that writes a log can be found, and whether it ended in order; stands beside the log. */
export interface RuntimeFile {
  readonly pid: number;
  readonly startedMs: number;
  readonly configPath: string;
  readonly dashboardUrl: string | null;
  /** The simulator's control surface, of a demo only. */
  readonly controlUrl: string | null;
  /** When it ended in order; null while it runs, and for ever after a kill. */
  readonly endedMs: number | null;
}

export function runtimeFilePath(logPath: string): string {
  return `${logPath}.runtime.json`;
}

export function writeRuntimeFile(logPath: string, runtime: RuntimeFile): void {
  const path = runtimeFilePath(logPath);
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, `${JSON.stringify(runtime)}\n`);
  renameSync(draft, path);
}

/** What the file says, with whether that process still lives (a killed one leaves its file); undefined when there is none. */
export function readRuntimeFile(logPath: string): (RuntimeFile & { readonly alive: boolean }) | undefined {
  let runtime: RuntimeFile;
  try {
    runtime = JSON.parse(readFileSync(runtimeFilePath(logPath), "utf8")) as RuntimeFile;
  } catch {
    return undefined;
  }
  return { ...runtime, alive: runtime.endedMs === null && isAlive(runtime.pid) };
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
