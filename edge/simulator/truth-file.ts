import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { TruthLine } from "./fault.ts";

/**
 * Appends the truth about every fault as one JSON line at its start (endMs is the plan) and one at its end (endMs is what
 * happened). Synchronous on purpose: a few lines an hour, and a killed process leaves what had been true.
 */
export class TruthFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
  }

  write(line: TruthLine): void {
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}
