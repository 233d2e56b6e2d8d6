import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Where a runtime that writes a log can be found; stands beside the log while it runs. */
export interface RuntimeFile {
  readonly pid: number;
  readonly startedMs: number;
  readonly configPath: string;
  readonly dashboardUrl: string | null;
  /** The simulator's control surface, of a demo only. */
  readonly controlUrl: string | null;
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

export function removeRuntimeFile(logPath: string): void {
  rmSync(runtimeFilePath(logPath), { force: true });
}

/** What the file says, with whether that process still lives (a killed one leaves its file); undefined when there is none. */
export function readRuntimeFile(logPath: string): (RuntimeFile & { readonly alive: boolean }) | undefined {
  let runtime: RuntimeFile;
  try {
    runtime = JSON.parse(readFileSync(runtimeFilePath(logPath), "utf8")) as RuntimeFile;
  } catch {
    return undefined;
  }
  return { ...runtime, alive: isAlive(runtime.pid) };
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
