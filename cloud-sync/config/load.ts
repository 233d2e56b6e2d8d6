import { dirname, resolve } from "node:path";
import { invalid, readConfigFile } from "../../edge/kernel/config/load.ts";
import { type ConfigProblem, type Finding, Findings } from "../../edge/kernel/config/problem.ts";
import { schemaFindings } from "../../edge/kernel/config/schema-problems.ts";
import { SecretFiles } from "../../edge/kernel/config/secret-files.ts";
import { parseYaml } from "../../edge/kernel/config/yaml-document.ts";
import { buildCloudConfig } from "./build.ts";
import type { CloudConfig } from "./model.ts";
import { type CloudFile, CloudFileSchema } from "./schema.ts";

/**
 * Reads cloud.yaml and the files that it names.
 * @throws EdgeError CONFIG_UNREADABLE, or CONFIG_INVALID whose message has a line for every problem
 */
export async function loadCloudConfig(path: string): Promise<CloudConfig> {
  const { bytes } = await readConfigFile(path);
  const parsed = parseCloudConfig(new TextDecoder().decode(bytes), path);
  if (Array.isArray(parsed)) throw invalid(parsed);
  return parsed as CloudConfig;
}

/** All mistakes, by their place, or the configuration. Never throws. */
export function parseCloudConfig(text: string, path: string): CloudConfig | ConfigProblem[] {
  const document = parseYaml(text);
  const place = ({ path: at, part, message, hint }: Finding): ConfigProblem => ({
    file: path,
    ...document.positionOf(at, part),
    path: at.join("."),
    message,
    hint,
  });
  const problems = document.problems.map(
    ({ line, column, path: at, message, hint }): ConfigProblem => ({
      file: path,
      line,
      column,
      path: at.join("."),
      message,
      hint,
    }),
  );
  if (problems.length > 0 || !document.readable) return problems;
  const { findings: shape } = schemaFindings(CloudFileSchema, document.value);
  if (shape.length > 0) return sorted(shape.map(place));
  const folder = dirname(resolve(path));
  const findings = new Findings();
  const config = buildCloudConfig(document.value as CloudFile, folder, findings, new SecretFiles(folder, findings));
  return config === undefined || findings.problems.length > 0 ? sorted(findings.problems.map(place)) : config;
}

function sorted(problems: ConfigProblem[]): ConfigProblem[] {
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}
