import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
/** What is measured or tested runs with the flags and settings that the launcher gives it. */
const nodeFlags = JSON.parse(readFileSync(join(root, "edge", "cli", "node-flags.json"), "utf8")) as string[];

const nodeEnv = JSON.parse(readFileSync(join(root, "edge", "cli", "node-env.json"), "utf8")) as Record<string, string>;

/** Starts one of Tailstock's programs with this Node; its stdin is a pipe, so that it ends with us. */
export function startProgram(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, [...nodeFlags, ...args], {
    cwd: root,
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...nodeEnv, ...process.env, ...env },
  });
}

/** The first line that the program prints; the rest is read away. */
export async function firstLine(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  child.stdout?.resume();
  return text.split("\n")[0] ?? "";
}

/** Asks all to end, and waits for it. */
export async function endPrograms(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => (child.exitCode === null ? once(child, "close") : undefined)));
}
