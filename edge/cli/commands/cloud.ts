import { Command } from "commander";
import type { Cli } from "../cli.ts";

const EXAMPLES = `
Examples:
  tailstock cloud up -c cloud.yaml          everything of the central office in this process, until Ctrl-C
  tailstock cloud status                    what it has, how far behind each projection is`;

/** The central office's side. Its short commands work beside a cloud side that runs, and without one. */
export function cloudCommand(_cli: Cli): Command {
  return new Command("cloud")
    .description("the central office: takes the factories' events in, keeps them, and shows all factories")
    .addHelpText("after", EXAMPLES);
}
