import { resolve } from "node:path";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { CONFIG_NAME } from "../find-log.ts";
import { countText, harmless } from "../text.ts";

export function configCommand(cli: Cli): Command {
  const command = new Command("config").description("checks a configuration, or prints the format's JSON schema");
  command
    .command("check")
    .description("names every mistake with file, line and column; exit code 1 when there is one")
    .argument("[file]", "the configuration", CONFIG_NAME)
    .action((file: string) => check(cli, file));
  command
    .command("schema")
    .description("the JSON schema of tailstock.yaml, for editors that complete and check while typing")
    .action(async () => {
      const { configJsonSchema } = await import("../../kernel/config/schema.ts");
      await cli.output.document(configJsonSchema());
    });
  return command;
}

async function check(cli: Cli, file: string): Promise<void> {
  const { parseConfigBytes, readConfigFile } = await import("../../kernel/config/load.ts");
  const { machinesOf } = await import("../../kernel/config/model.ts");
  const path = resolve(cli.cwd, file);
  const { bytes, sha256 } = await readConfigFile(path);
  const result = parseConfigBytes(bytes, path);
  const problems = "problems" in result ? result.problems : [];
  const { warnings } = result;
  const machines = "config" in result ? machinesOf(result.config) : [];
  const signals = machines.reduce((sum, machine) => sum + machine.signals.length, 0);
  const connections = "config" in result ? result.config.connections.length : 0;
  if (problems.length > 0) cli.problemFound();
  // The file as it was typed, so that a terminal or an editor can jump to the place.
  const lines = (kind: string, each: (typeof problems)[number]): string[] => [
    harmless(`${file}:${each.line}:${each.column}: ${kind}${each.path && `${each.path}: `}${each.message}`),
    ...(each.hint === "" ? [] : [`    ${harmless(each.hint)}`]),
  ];
  await cli.output.result(
    {
      file: path,
      sha256,
      ok: problems.length === 0,
      problems,
      warnings,
      connections,
      machines: machines.length,
      signals,
    },
    () => [
      ...problems.flatMap((each) => lines("", each)),
      ...warnings.flatMap((each) => lines("warning: ", each)),
      problems.length > 0
        ? `${file}: ${countText(problems.length, "problem")}`
        : `${file}: fine, ${countText(machines.length, "machine")} with ${countText(signals, "signal")} on ${countText(connections, "connection")}`,
    ],
  );
}
