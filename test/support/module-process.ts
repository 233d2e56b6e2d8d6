import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const MODULES = join(import.meta.dirname, "..", "..", "modules");
const OUTPUT_CHARACTERS_MAX = 20_000;
/** A container inherits nothing of ours; the cache only makes it start sooner. */
const { PATH, NODE_COMPILE_CACHE = "" } = process.env;
const INHERITED = { PATH, NODE_COMPILE_CACHE };

export type ModuleName = "collector" | "dashboard" | "uplink";

export interface ModuleProcess {
  readonly child: ChildProcess;
  /** The end of what it has printed. */
  output(): string;
  readonly ended: Promise<number | null>;
}

/** One container's program as a process, as edgeAgent would run it. */
export function startModule(
  name: ModuleName,
  { configPath, cwd, env = {} }: { configPath: string; cwd: string; env?: Readonly<Record<string, string>> },
): ModuleProcess {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(MODULES, name, "main.ts")], {
    cwd,
    env: { ...INHERITED, TAILSTOCK_CONFIG: configPath, TAILSTOCK_LOG_LEVEL: "info", ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
    });
  }
  return { child, output: () => output, ended: once(child, "exit").then(([code]) => code as number | null) };
}

/** What the container's health check exits with. */
export async function healthOf(name: ModuleName, { configPath, cwd }: { configPath: string; cwd: string }) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(MODULES, name, "health.ts")], {
    cwd,
    env: { ...INHERITED, TAILSTOCK_CONFIG: configPath },
    stdio: "ignore",
  });
  return (await once(child, "exit"))[0] as number | null;
}
