import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { lakeCompactCommand } from "./lake/compact.ts";
import { lakeQueryCommand } from "./lake/query.ts";
import { lakeStatusCommand } from "./lake/status.ts";

const EXAMPLES = `
Examples:
  tailstock lake status                                   how much there is, of which days and factories
  tailstock lake query "SELECT factory, date, count(*) FROM readings GROUP BY ALL ORDER BY ALL"
  tailstock lake query "SELECT time, value FROM readings WHERE machine_id = 'redmond/mill-01' AND signal = 'spindleLoad'" --from 2d
  tailstock lake compact                                  merges small files; the cloud side does so by itself, too

The views are readings, events and rollups; times are UTC. Queries read the lake's files alone: no database, no running cloud side.`;

/** The long-term store in columns. */
export function lakeCommand(cli: Cli): Command {
  const command = new Command("lake").description(
    "the long-term store: everything that ever came, in columns, for SQL",
  );
  for (const make of [lakeQueryCommand, lakeStatusCommand, lakeCompactCommand]) command.addCommand(make(cli));
  return command.addHelpText("after", EXAMPLES);
}
