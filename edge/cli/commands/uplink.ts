import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { billCommand } from "./uplink/bill.ts";
import { deadLettersCommand } from "./uplink/dead-letters.ts";
import { uplinkStatusCommand } from "./uplink/status.ts";

const EXAMPLES = `
Examples:
  tailstock uplink status                              is the line up, what waits, how long is there room
  tailstock uplink bill                                messages and units a day, and the hub that takes them
  tailstock uplink bill --config new.yaml --latency 1m what a configuration would come to
  tailstock uplink dead-letters list                   messages that the hub cannot take
  tailstock uplink dead-letters retry --all

Works from the files alone, without a network and without a running uplink.`;

export function uplinkCommand(cli: Cli): Command {
  const command = new Command("uplink").description(
    "the line to the cloud: how it is, what it costs, what was set aside",
  );
  for (const make of [uplinkStatusCommand, billCommand, deadLettersCommand]) command.addCommand(make(cli));
  return command.addHelpText("after", EXAMPLES);
}
