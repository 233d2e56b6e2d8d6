import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach } from "vitest";

// The tests run the real program as a child process, as a technician does.
const MAIN = join(import.meta.dirname, "main.ts");
const END_MS_MAX = 30_000;

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command, its output so far, and its end. It has a channel to us, as the launcher gives it one. */
export interface CliProcess {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<CliRun>;
  /** Resolves with the first match in what it has printed. */
  untilPrinted(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function startCli(args: readonly string[], { cwd, env = {} }: CliOptions): CliProcess {
  const { NO_COLOR: _colour, TAILSTOCK_DEBUG: _debug, ...inherited } = process.env;
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
    cwd,
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const [, out, err] = child.stdio;
  if (!(out instanceof Readable && err instanceof Readable)) throw new TypeError("the child has no output");
  let stdout = "";
  let stderr = "";
  out.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  err.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    async untilPrinted(pattern, timeoutMs = END_MS_MAX) {
      return until(
        () => pattern.exec(stdout) ?? undefined,
        timeoutMs,
        () => `${pattern} in:\n${stdout}\n${stderr}`,
      );
    },
  };
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliRun> {
  const running = startCli(args, options);
  const timer = setTimeout(() => running.child.kill("SIGKILL"), END_MS_MAX);
  try {
    return await running.ended;
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until there is an answer. */
export async function until<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  timeoutMs: number,
  what: () => string,
): Promise<T> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; ) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${timeoutMs} ms: ${what()}`);
}

/** True while the process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** An empty folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-cli-"));
  // Root's embedded database runs as somebody else, who must get in.
  chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}
