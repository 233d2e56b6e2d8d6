import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { EdgeError } from "../../kernel/errors.ts";

const MAIN = join(import.meta.dirname, "..", "..", "simulator", "main.ts");
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 3_200;
const COMPLAINT_CHARACTERS_MAX = 2_000;

export interface SimulatorAddresses {
  /** opc.tcp://… */
  readonly opcua: string;
  /** modbus+tcp://… */
  readonly modbus: string;
  /** http://… of the control surface. */
  readonly control: string;
}

/** The simulated factory as a child process. */
export interface SimulatorProcess {
  readonly addresses: SimulatorAddresses;
  /** Resolves with a sentence when it ends although nobody asked it to. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts the simulator and waits until its servers listen.
 * @throws EdgeError DRIVER_NOT_CONNECTED with the child's own words when it does not come up
 */
export async function startSimulator(options: {
  readonly seed: number;
  readonly folder: string;
  readonly nodeArguments: readonly string[];
  readonly signal: AbortSignal;
}): Promise<SimulatorProcess> {
  const child = spawn(
    process.execPath,
    [
      ...options.nodeArguments,
      MAIN,
      ...["--seed", String(options.seed)],
      ...["--truth", join(options.folder, "truth.jsonl")],
      ...["--pki", join(options.folder, "simulator-pki")],
    ],
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
    (how) => `the simulator ended (${how})${complaint === "" ? "" : `: ${lastLine(complaint)}`}`,
  );
  try {
    return { addresses: await untilReady(child, ended, options.signal), ended, stop: () => stop(child, exited) };
  } catch (error) {
    await stop(child, exited);
    throw error;
  }
}

async function untilReady(
  child: ChildProcess,
  ended: Promise<string>,
  signal: AbortSignal,
): Promise<SimulatorAddresses> {
  if (child.stdout === null) throw new TypeError("the simulator has no standard output");
  const waited = AbortSignal.any([signal, AbortSignal.timeout(READY_MS_MAX)]);
  const lines = createInterface({ input: child.stdout });
  const first = once(lines, "line", { signal: waited }).then(([line]) => String(line));
  const failed = ended.then((how) => {
    throw new EdgeError("DRIVER_NOT_CONNECTED", how, {
      hint: "Free the ports it wants, or look at the message above.",
    });
  });
  try {
    return JSON.parse(await Promise.race([first, failed])) as SimulatorAddresses;
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError("DRIVER_NOT_CONNECTED", "the simulator did not come up in time", {
      cause: error,
      hint: "Look whether this machine is very busy, then start the demo again.",
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
