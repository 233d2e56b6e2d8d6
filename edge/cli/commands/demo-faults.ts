import { Command } from "commander";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { controlUrlOf } from "../demo/running-demo.ts";
import { parseDuration } from "../duration.ts";
import { tableLines } from "../table.ts";
import { harmless, timeText } from "../text.ts";

interface DemoChoice {
  readonly data?: string;
}

interface InjectOptions extends DemoChoice {
  readonly signal?: string;
  readonly for: string;
  readonly magnitude?: string;
}

/** Commander gives a sub-command's own options first; `--data` may also stand before it, as the demo's. */
function dataOf(command: Command): string | undefined {
  return command.optsWithGlobals<DemoChoice>().data;
}

export function demoInjectCommand(cli: Cli): Command {
  return new Command("inject")
    .description("makes something go wrong in a running demo")
    .argument(
      "<kind>",
      "spike, dip, shift, bearing-wear, tool-wear, coolant-leak, stuck, lost, link-down, server-restart",
    )
    .argument("<machine>", "such as mill-01")
    .option("--signal <name>", "the signal, for faults of one signal")
    .option("--for <duration>", "how long it lasts", "60s")
    .option("--magnitude <number>", "how bad; the fault's own scale")
    .option("--data <folder>", "the demo's folder (default: ./data/demo)")
    .action(async (kind: string, machineId: string, options: InjectOptions, command: Command) => {
      const { FAULT_KINDS } = await import("../../simulator/fault.ts");
      const { injectFault } = await import("../../simulator/control-client.ts");
      const known = FAULT_KINDS.find((each) => each === kind);
      if (known === undefined) {
        throw new EdgeError("USAGE", `"${kind}" is not a kind of fault`, { hint: `Known: ${FAULT_KINDS.join(", ")}` });
      }
      const record = await injectFault(controlUrlOf(cli, dataOf(command)), {
        kind: known,
        machineId,
        durationMs: parseDuration(options.for),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(options.magnitude === undefined ? {} : { magnitude: parseMagnitude(options.magnitude) }),
      });
      await cli.output.result(record, () => [
        harmless(
          `${record.fault} on ${record.machineId} ${record.signals.join(", ")} until ${timeText(record.endMs)}`.replace(
            "  ",
            " ",
          ),
        ),
      ]);
    });
}

export function demoFaultsCommand(cli: Cli): Command {
  return new Command("faults")
    .description("the faults of a running demo, those that last and the newest that have ended")
    .option("--data <folder>", "the demo's folder (default: ./data/demo)")
    .action(async (_options: DemoChoice, command: Command) => {
      const { listFaults } = await import("../../simulator/control-client.ts");
      const faults = await listFaults(controlUrlOf(cli, dataOf(command)));
      const rows = [
        ...faults.active.map((fault) => ["active", fault] as const),
        ...faults.ended.map((fault) => ["ended", fault] as const),
      ];
      await cli.output.result(faults, () =>
        rows.length === 0
          ? ["no fault so far; tailstock demo inject makes one"]
          : tableLines(
              [
                { title: "STATE" },
                { title: "FAULT" },
                { title: "MACHINE" },
                { title: "FROM" },
                { title: "UNTIL" },
                { title: "SIGNALS" },
              ],
              rows.map(([state, { fault, machineId, signals, startMs, endMs }]) => [
                state,
                harmless(fault),
                harmless(machineId),
                timeText(startMs),
                timeText(endMs),
                harmless(signals.join(", ")),
              ]),
            ),
      );
    });
}

function parseMagnitude(text: string): number {
  const magnitude = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(magnitude)) return magnitude;
  throw new EdgeError("USAGE", `"${text}" is not a number`, { hint: "Give --magnitude a number, such as 1.8." });
}
