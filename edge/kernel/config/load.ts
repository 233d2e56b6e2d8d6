import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { EdgeError, messageOf } from "../errors.ts";
import { buildConfig, type PrunedFile } from "./build.ts";
import { CONFIG_BYTES_MAX, PROBLEMS_LISTED_MAX } from "./defaults.ts";
import type { Config } from "./model.ts";
import { type ConfigPath, type ConfigProblem, type Finding, Findings, formatProblem } from "./problem.ts";
import { ConfigFileSchema } from "./schema.ts";
import { schemaFindings } from "./schema-problems.ts";
import { SecretFiles } from "./secret-files.ts";
import { parseYaml, type YamlDocument } from "./yaml-document.ts";

/** A configuration without mistakes. */
export interface ParsedConfig {
  readonly config: Config;
  /** Doubts that do not stand in the way. */
  readonly warnings: readonly ConfigProblem[];
  /** Absolute paths of the password and certificate files that it names. */
  readonly files: readonly string[];
}

export interface LoadedConfig extends ParsedConfig {
  /** Of the file's bytes, in hexadecimal. */
  readonly sha256: string;
  /** As it was given. */
  readonly path: string;
}

/** A configuration that can't be used, and every reason for it. */
export interface RefusedConfig {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  readonly files: readonly string[];
}

/**
 * Reads the text of a tailstock.yaml: all mistakes at once, or the configuration. Password files are read, certificate
 * files looked at, both relative to the folder of `path`. Never throws.
 */
export function parseConfig(text: string, { path }: { path: string }): ParsedConfig | RefusedConfig {
  const folder = dirname(resolve(path));
  const document = parseYaml(text);
  const syntax = document.problems.map(({ line, column, path: at, message, hint }) => ({
    file: path,
    line,
    column,
    path: at.join("."),
    message,
    hint,
  }));
  if (!document.readable) return { problems: syntax, warnings: [], files: [] };
  const value = withoutEmptySections(document.value);
  const { findings: shape, isComplete } = schemaFindings(ConfigFileSchema, value);
  const place = (finding: Finding): ConfigProblem => placed(document, path, finding);
  if (!isComplete) return { problems: [...syntax, ...shape.map(place)].sort(byPlace), warnings: [], files: [] };
  for (const finding of shape) cut(value, finding.path);
  const findings = new Findings();
  const secrets = new SecretFiles(folder, findings);
  const config = buildConfig(isMap(value) ? (value as PrunedFile) : {}, folder, findings, secrets);
  // What was cut out makes its surroundings look incomplete: only the first cause is worth telling.
  const meaning = findings.problems.filter(
    (finding) =>
      !shape.some((cause) => explains(cause, finding)) &&
      !document.problems.some(({ path: cause }) => startsWith(cause, finding.path)),
  );
  const problems = [...syntax, ...[...shape, ...meaning].map(place)].sort(byPlace);
  const warnings = findings.warnings.map(place).sort(byPlace);
  const files = [...secrets.paths];
  return problems.length > 0 ? { problems, warnings, files } : { config, warnings, files };
}

/**
 * Reads and checks a configuration file.
 * @throws EdgeError CONFIG_UNREADABLE, or CONFIG_INVALID whose message has a line for every problem
 */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  const { bytes, sha256 } = await readConfigFile(path);
  const parsed = parseConfigBytes(bytes, path);
  if ("problems" in parsed) throw invalid(parsed.problems);
  return { ...parsed, sha256, path };
}

/** CONFIG_INVALID with every problem in its message and every distinct hint in its hint. */
export function invalid(problems: readonly ConfigProblem[]): EdgeError {
  const listed = problems.slice(0, PROBLEMS_LISTED_MAX);
  const lines = listed.map(formatProblem);
  if (problems.length > listed.length) lines.push(`and ${problems.length - listed.length} more`);
  const hints = [...new Set(listed.map((problem) => problem.hint))];
  return new EdgeError("CONFIG_INVALID", lines.join("\n"), { hint: hints.join("\n") });
}

/** @throws EdgeError CONFIG_UNREADABLE */
export async function readConfigFile(path: string): Promise<{ bytes: Uint8Array; sha256: string }> {
  try {
    const { size } = await stat(path);
    if (size > CONFIG_BYTES_MAX)
      throw new Error(`it has ${size} bytes, more than the ${CONFIG_BYTES_MAX} of a configuration`);
    const bytes = await readFile(path);
    return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT"
        ? "it does not exist"
        : code === "EACCES"
          ? "this user may not read it"
          : code === "EISDIR"
            ? "it is a folder"
            : messageOf(error);
    throw new EdgeError("CONFIG_UNREADABLE", `The configuration '${path}' can't be read: ${why}`, {
      cause: error,
      hint: "check the path after -c and the permissions of the user who runs this",
    });
  }
}

export function parseConfigBytes(bytes: Uint8Array, path: string): ParsedConfig | RefusedConfig {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const message = "the file is not UTF-8 text";
    const hint = "save it as UTF-8; in some editors this is in the dialog 'Save as'";
    return { problems: [{ file: path, line: 1, column: 1, path: "", message, hint }], warnings: [], files: [] };
  }
  return parseConfig(text, { path });
}

function placed(document: YamlDocument, file: string, { path, part, message, hint }: Finding): ConfigProblem {
  return { file, ...document.positionOf(path, part), path: path.join("."), message, hint };
}

function byPlace(a: ConfigProblem, b: ConfigProblem): number {
  return a.line - b.line || a.column - b.column;
}

/** Whether a finding only follows from a part that the schema refused, at the same place, inside it, or where it points to. */
function explains({ path: cause }: Finding, { path }: Finding): boolean {
  if (startsWith(cause, path)) return true;
  // What is missing of the uplink's identity may be the very key that was refused.
  if (path.length === 1 && path[0] === "uplink" && cause[0] === "uplink") return true;
  const section = path[2] === "type" ? "machineTypes" : path[2] === "connection" ? "connections" : undefined;
  return path[0] === "machines" && section !== undefined && cause.length === 1 && cause[0] === section;
}

function startsWith(path: ConfigPath, beginning: ConfigPath): boolean {
  return beginning.length <= path.length && beginning.every((segment, index) => segment === path[index]);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A section whose lines are all commented out is null in YAML; it counts as left out. */
function withoutEmptySections(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key, section]) => section !== null || key === "site" || key === "machines"),
  );
}

/** Removes what the schema refused, so that the rest can be checked for its meaning. */
function cut(value: unknown, path: ConfigPath): void {
  let current = value;
  for (const segment of path.slice(0, -1)) {
    if (typeof current !== "object" || current === null) return;
    current = (current as Record<string | number, unknown>)[segment];
  }
  const last = path.at(-1);
  if (Array.isArray(current)) current[Number(last)] = "";
  if (last === undefined || !isMap(current)) return;
  // A type or connection that is refused as a whole still exists, so that machines which name it are not blamed.
  if (path.length === 2 && (path[0] === "machineTypes" || path[0] === "connections")) current[String(last)] = {};
  else delete current[String(last)];
}
