import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { cloudAccountsCommand } from "./cloud/accounts.ts";
import { cloudQuarantineCommand } from "./cloud/quarantine.ts";
import { cloudRebuildCommand } from "./cloud/rebuild.ts";
import { cloudScoreCommand } from "./cloud/score.ts";
import { cloudStatusCommand } from "./cloud/status.ts";
import { cloudTokenCommand } from "./cloud/token.ts";
import { cloudUpCommand } from "./cloud/up.ts";

const EXAMPLES = `
Examples:
  tailstock cloud up -c cloud.yaml                     everything of the central office in this process, until Ctrl-C
  tailstock cloud up --parts ingest,projections        only some of it; several processes share the work
  tailstock cloud status                               what it has, whether something is missing, what is behind
  tailstock cloud rebuild machine_latest               makes a read model anew
  tailstock cloud score --from 90d                     scores what lies in the lake by the cloud's models
  tailstock cloud quarantine list                      messages that could not be stored, and why
  tailstock cloud accounts add "Anna Adams" --role operator

The short commands work beside a cloud side that runs, and without one.`;

/** The central office's side. */
export function cloudCommand(cli: Cli): Command {
  const command = new Command("cloud")
    .description("the central office: takes the factories' events in, keeps them, and shows all factories")
    .addHelpText("after", EXAMPLES);
  for (const make of [
    cloudUpCommand,
    cloudStatusCommand,
    cloudQuarantineCommand,
    cloudRebuildCommand,
    cloudScoreCommand,
    cloudAccountsCommand,
    cloudTokenCommand,
  ])
    command.addCommand(make(cli));
  return command;
}
