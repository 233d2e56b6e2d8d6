import { fstatSync } from "node:fs";
import { setWarningLogger } from "node-opcua";

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
export function printReady(facts: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

/** node-opcua warns on stdout, which belongs to the ready line. */
export function keepStdoutClean(): void {
  setWarningLogger((...args: unknown[]) => console.error(...args));
  console.log = console.error;
  console.info = console.error;
}
