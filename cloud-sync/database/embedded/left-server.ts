import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Login, tryConnect } from "./login.ts";

const LOOK_MS = 20;
/** Whoever has the number of a server and does not listen for so long is another process, or a server that hangs. */
const SILENT_MS_MAX = 3_000;

export interface LeftServer {
  readonly pid: number;
  readonly login: Login;
}

/** The server whose process outlived ours, once it lets us in; undefined when there is none, or it has just ended. */
export async function leftServer(data: string, password: string): Promise<LeftServer | undefined> {
  const silentFrom = performance.now();
  for (;;) {
    const named = namedServer(data);
    if (named === undefined || !isAlive(named.pid)) return undefined;
    const login = { port: named.port, password };
    const answer = await tryConnect(login);
    if (answer === "ready") return { pid: named.pid, login };
    // Of the right password another server knows nothing; one that starts, recovers or ends says so, however long it takes.
    if (answer === "refused") return undefined;
    if (answer === "silent" && performance.now() - silentFrom > SILENT_MS_MAX) return undefined;
    await delay(LOOK_MS);
  }
}

/** Ends a server that is not our child. */
export async function stopLeft(data: string, pid: number, withinMs: number): Promise<void> {
  if (namedServer(data)?.pid !== pid) return;
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    const deadline = performance.now() + withinMs;
    // Its file goes last; its number may stay, where nobody waits for the children of the dead.
    while (isAlive(pid) && namedServer(data)?.pid === pid && performance.now() < deadline) await delay(LOOK_MS);
    if (namedServer(data)?.pid !== pid) return;
  }
}

/** What the cluster's own file says of the server that uses it. */
function namedServer(data: string): { pid: number; port: number } | undefined {
  const path = join(data, "postmaster.pid");
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, "utf8").split("\n");
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 && port > 0 ? { pid, port } : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
