import { Command } from "commander";
import type { LineMode, LineState } from "../../simulator/line-switch.ts";
import type { Cli } from "../cli.ts";
import { controlUrlOf } from "../demo/running-demo.ts";
import { parseDuration } from "../duration.ts";
import { durationText, timeText } from "../text.ts";

interface LineOptions {
  readonly data?: string;
  readonly for?: string;
}

const WORDS: Readonly<Record<LineMode, string>> = { pass: "whole", cut: "cut", freeze: "frozen" };

export function demoLineCommand(cli: Cli): Command {
  const command = new Command("line")
    .description("the line between the demo's box and its hub: cut, freeze and mend it; alone, shows it")
    .option("--data <folder>", "the demo's folder (default: ./data/demo)")
    .addHelpText(
      "after",
      "\nExample:\n  tailstock demo line cut --for 5m\n\nWatch the dashboard's page “Cloud line” meanwhile: readings wait in the log, and go when the line is mended.",
    )
    .action(async (_options: LineOptions, of: Command) => {
      const { lineState } = await import("../../simulator/control-client.ts");
      await show(cli, await lineState(controlUrl(cli, of)));
    });
  command.addCommand(change(cli, "cut", "cut", "connections are reset, and new ones refused"));
  command.addCommand(change(cli, "freeze", "freeze", "connections stay open, and nothing comes through"));
  command.addCommand(change(cli, "mend", "pass", "it works again"));
  return command;
}

function change(cli: Cli, name: string, mode: LineMode, description: string): Command {
  const command = new Command(name)
    .description(description)
    .option("--data <folder>", "the demo's folder (default: ./data/demo)");
  if (mode !== "pass") command.option("--for <duration>", "after which it mends itself; left out, it stays");
  return command.action(async (options: LineOptions, of: Command) => {
    const { setLine } = await import("../../simulator/control-client.ts");
    const durationMs = options.for === undefined ? undefined : parseDuration(options.for);
    await show(cli, await setLine(controlUrl(cli, of), mode, durationMs));
  });
}

function controlUrl(cli: Cli, command: Command): string {
  return controlUrlOf(cli, command.optsWithGlobals<LineOptions>().data);
}

function show(cli: Cli, line: LineState): Promise<void> {
  const { mode, sinceMs, untilMs, connections } = line;
  const lasts =
    mode === "pass"
      ? `, ${connections === 0 ? "nobody" : "the uplink"} is connected through it`
      : untilMs === null
        ? ", until: tailstock demo line mend"
        : `, mends itself in ${durationText(untilMs - cli.clock.nowMs())}`;
  return cli.output.result(line, () => [`the line is ${WORDS[mode]} since ${timeText(sinceMs)}${lasts}`]);
}
