import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { backupCommand, restoreCommand } from "./log/backup.ts";
import { outageCommand } from "./log/outage.ts";
import { salvageCommand } from "./log/salvage.ts";
import { usageCommand } from "./log/usage.ts";
import { verifyCommand } from "./log/verify.ts";

const EXAMPLES = `
Examples:
  tailstock log usage                                  how full it is, what comes in, how long there is room
  tailstock log simulate-outage 72h                    what a long outage of the line would cost
  tailstock log verify                                 proves every block, or says what is damaged
  tailstock log backup /media/usb/mill.db              a copy at one moment, while the collector runs
  tailstock log verify --against /media/usb/mill.db    which events the copy lacks, and why
  tailstock log salvage data/tailstock.db.damaged-20260331T120000Z

Works from the file alone, without a network and without a running collector.`;

export function logCommand(cli: Cli): Command {
  const command = new Command("log").description("the event log's file: how full, proven, backed up, brought back");
  for (const make of [usageCommand, outageCommand, verifyCommand, backupCommand, restoreCommand, salvageCommand])
    command.addCommand(make(cli));
  return command.addHelpText("after", EXAMPLES);
}
