import { EdgeError, messageOf } from "../kernel/errors.ts";
import type { Severity } from "../kernel/status-code.ts";
import { harmless } from "./text.ts";

export interface OutputOptions {
  readonly json: boolean;
  /** Colour only where a person looks: standard output is a terminal and NO_COLOR is not set. */
  readonly colour: boolean;
  /** Shows stack traces of errors (TAILSTOCK_DEBUG). */
  readonly debug: boolean;
}

/** What a command says: results on standard output, everything else on standard error. */
export class Output {
  readonly json: boolean;
  readonly #colour: boolean;
  readonly #debug: boolean;

  constructor({ json, colour, debug }: OutputOptions) {
    this.json = json;
    this.#colour = colour;
    this.#debug = debug;
  }

  /** Lines for a person; not for use with --json. */
  lines(lines: readonly string[]): Promise<void> {
    return this.#write(lines.length === 0 ? "" : `${lines.join("\n")}\n`);
  }

  /** One JSON document, indented. */
  document(value: unknown): Promise<void> {
    return this.#write(`${JSON.stringify(value, replaceUnspeakable, 2)}\n`);
  }

  /** One JSON value on one line, for streams. */
  jsonLine(value: unknown): Promise<void> {
    return this.#write(`${JSON.stringify(value, replaceUnspeakable)}\n`);
  }

  /** The command's result: the document with --json, else the lines. */
  result(value: unknown, lines: () => readonly string[]): Promise<void> {
    return this.json ? this.document(value) : this.lines(lines());
  }

  /** A remark for a person, on standard error, so that pipes get results only. Quiet with --json. */
  note(text: string): void {
    if (!this.json) process.stderr.write(`${text}\n`);
  }

  error(error: unknown): void {
    const known = error instanceof EdgeError ? error : undefined;
    const code = known?.code ?? "UNEXPECTED";
    const message = messageOf(error);
    const hint =
      known?.hint ?? (known ? undefined : "Set TAILSTOCK_DEBUG=1 to see where it comes from, and report it.");
    if (this.json) {
      process.stderr.write(`${JSON.stringify({ error: { code, message, hint: hint ?? null } })}\n`);
    } else {
      process.stderr.write(`tailstock: ${message.split("\n").map(harmless).join("\n")}\n`);
      if (hint !== undefined) process.stderr.write(`  ${harmless(hint)}\n`);
    }
    if (this.#debug) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  }

  /** Colour is for what is abnormal; what is good stays plain (ISA-101). */
  paint(severity: Severity, text: string): string {
    if (!this.#colour || severity === "good") return text;
    return `\u001b[${severity === "bad" ? 31 : 33}m${text}\u001b[39m`;
  }

  /** Waits while the reader of a pipe is slow, so that nothing piles up in memory. */
  #write(text: string): Promise<void> {
    if (process.stdout.write(text)) return Promise.resolve();
    return new Promise((resolve) => process.stdout.once("drain", resolve));
  }
}

/** JSON has no bigint, NaN or Infinity: they go as strings, as in the dashboard's API. */
function replaceUnspeakable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value;
}
