import { resolve } from "node:path";
import { Command } from "commander";
import type { SalvageReport } from "../../../log/recovery/rebuild.ts";
import { salvageLog } from "../../../log/recovery/salvage.ts";
import type { Cli } from "../../cli.ts";
import { tableLines } from "../../table.ts";
import { harmless } from "../../text.ts";
import { numberText, plural, rangeText, STATE_TEXT } from "./words.ts";

const LOST_SHOWN = 50;

const HELP = `
Example:
  tailstock log salvage data/tailstock.db.damaged-20260331T120000Z

Looks at every page of the file and of its write-ahead log (-wal) by itself; neither is changed. The new file is a log of its
own: look at it with --log, or put it in the log's place with tailstock log restore.`;

export function salvageCommand(cli: Cli): Command {
  return new Command("salvage")
    .description("builds a new log out of all that is readable in a damaged one; exit code 1 when something is lost")
    .argument("<file>", "the damaged log")
    .option("--to <file>", "the new log (default: the file's name with .salvaged.db)")
    .addHelpText("after", HELP)
    .action(async (file: string, options: { readonly to?: string }) => {
      const path = resolve(cli.cwd, file);
      const target = resolve(cli.cwd, options.to ?? `${file}.salvaged.db`);
      const report = salvageLog(path, target);
      if (isLoss(report)) cli.problemFound();
      await cli.output.result({ path, ...report }, () => salvageLines(cli, path, report));
    });
}

function isLoss({ lost, damagedCommits }: SalvageReport): boolean {
  return lost.length > 0 || damagedCommits > 0;
}

function salvageLines(cli: Cli, path: string, report: SalvageReport): string[] {
  const { lost, gone, target } = report;
  const events = lost.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0);
  const shown = lost.slice(0, LOST_SHOWN);
  return [
    `${path}: looked at ${plural(report.pages, "page")}${report.damagedPages === 0 ? "" : `, ${numberText(report.damagedPages)} of them damaged`}.`,
    `Brought back into ${target}: ${plural(report.events, "event")} with ${plural(report.samples, "reading")} of ${plural(report.machines, "stream")}.`,
    ...gone.map(
      ({ state, events: count }) =>
        `Not here before the damage either: ${plural(count, "event")} (${STATE_TEXT[state]}).`,
    ),
    ...(report.damagedBlocks === 0
      ? []
      : [`Found but not proven, and left out: ${plural(report.damagedBlocks, "block")}.`]),
    ...(report.damagedCommits === 0
      ? []
      : [`Found but not readable, of what was not sealed yet: ${plural(report.damagedCommits, "commit")}.`]),
    ...(lost.length === 0
      ? isLoss(report)
        ? []
        : ["No number is missing between the first and the last event of any stream."]
      : [
          "",
          cli.output.paint("bad", `Lost: ${plural(events, "event")}.`),
          ...tableLines(
            [{ title: "MACHINE" }, { title: "SEQ" }, { title: "EVENTS", align: "right" }],
            shown.map((range) => [
              harmless(range.machineId),
              rangeText(range),
              numberText(range.lastSeq - range.firstSeq + 1),
            ]),
          ),
          ...(lost.length > shown.length ? [`and ${lost.length - shown.length} more; --json shows all`] : []),
        ]),
    "What was newer than the newest event found of a stream can't be known from the file.",
  ];
}
