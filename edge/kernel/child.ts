import { fstatSync } from "node:fs";

// How a process of ours that another one started speaks to it: one line when it is ready, an end when the other is gone.

/** Resolves when the process is asked to end: SIGTERM, SIGINT, or the parent that holds our stdin is gone. */
export function untilAskedToEnd(): Promise<string> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve("SIGTERM"));
    process.once("SIGINT", () => resolve("SIGINT"));
    // A terminal or /dev/null says nothing about a parent; a pipe closes when the parent dies, however it died.
    const stdin = fstatSync(0);
    if (!stdin.isFIFO() && !stdin.isSocket()) return;
    process.stdin.once("end", () => resolve("stdin closed"));
    process.stdin.once("error", () => resolve("stdin closed"));
    process.stdin.resume();
  });
}

/** The one line on stdout that a parent waits for. Everything else goes to stderr. */
export function printReady(facts: Readonly<Record<string, string | number | null>>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}
