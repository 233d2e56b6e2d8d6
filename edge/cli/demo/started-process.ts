import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { EdgeError } from "../../kernel/errors.ts";

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 3_200;
const COMPLAINT_CHARACTERS_MAX = 2_000;

/** A child process of ours that said that it is ready. */
export interface StartedProcess<Addresses> {
  readonly addresses: Addresses;
  /** Resolves with a sentence when it ends although nobody asked it to. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

export interface StartedProcessOptions {
  /** For people: "the simulator". */
  readonly what: string;
  readonly code: "DRIVER_NOT_CONNECTED" | "HUB_UNAVAILABLE" | "DATABASE_UNAVAILABLE";
  readonly main: string;
  readonly args: readonly string[];
  readonly nodeArguments: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Starts a main that prints one JSON line when its servers listen, and waits for that line.
 * @throws EdgeError with the code given and the child's own words when it does not come up
 */
export async function startProcess<Addresses>(options: StartedProcessOptions): Promise<StartedProcess<Addresses>> {
  const child = spawn(
    process.execPath,
    [...options.nodeArguments, options.main, ...options.args],
    // A group of its own: the terminal's Ctrl-C must reach the runtime first, so that it can close its sessions on
    // servers that still answer. It ends when its stdin closes, which happens however this process dies.
    { detached: true, stdio: ["pipe", "pipe", "pipe"] },
  );
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-COMPLAINT_CHARACTERS_MAX);
  });
  child.stdin.on("error", () => undefined);
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `killed by ${signal}`));
  });
  const ended = exited.then(
    (how) => `${options.what} ended (${how})${complaint === "" ? "" : `: ${lastLine(complaint)}`}`,
  );
  try {
    const addresses = await untilReady<Addresses>(child, ended, options);
    return { addresses, ended, stop: () => stop(child, exited) };
  } catch (error) {
    await stop(child, exited);
    throw error;
  }
}

async function untilReady<Addresses>(
  child: ChildProcess,
  ended: Promise<string>,
  { what, code, signal }: StartedProcessOptions,
): Promise<Addresses> {
  if (child.stdout === null) throw new TypeError(`${what} has no standard output`);
  const waited = AbortSignal.any([signal, AbortSignal.timeout(READY_MS_MAX)]);
  const lines = createInterface({ input: child.stdout });
  const first = once(lines, "line", { signal: waited }).then(([line]) => String(line));
  const failed = ended.then((how) => {
    throw new EdgeError(code, how, { hint: "Free the ports it wants, or look at the message above." });
  });
  try {
    return JSON.parse(await Promise.race([first, failed])) as Addresses;
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError(code, `${what} did not come up in time`, {
      cause: error,
      hint: "Look whether this machine is very busy, then start it again.",
    });
  } finally {
    // A failure of the loser of the race must not become an unhandled rejection later.
    failed.catch(() => undefined);
    first.catch(() => undefined);
  }
}

async function stop(child: ChildProcess, exited: Promise<string>): Promise<void> {
  child.stdin?.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  await exited;
  clearTimeout(timer);
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
