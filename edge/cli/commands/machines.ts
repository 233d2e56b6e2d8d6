import { Command } from "commander";
import { severityOf, statusName } from "../../kernel/status-code.ts";
import type { Cli } from "../cli.ts";
import { type LogOptions, openFoundLog, withLogOptions } from "../find-log.ts";
import { type MachineView, machineIdsOf, machineView, resolveMachine } from "../log-view.ts";
import { tableLines } from "../table.ts";
import { durationText, harmless, valueText } from "../text.ts";

interface MachinesOptions extends LogOptions {
  readonly all?: boolean;
}

export function machinesCommand(cli: Cli): Command {
  return withLogOptions(new Command("machines"))
    .description("the machines with their newest values; with a machine, every signal of it")
    .argument("[machine]", "its id, or its name when only one site has it")
    .option("--all", "also machines that are no longer in the configuration")
    .action(async (name: string | undefined, options: MachinesOptions) => {
      const log = await openFoundLog(cli, options);
      try {
        const nowMs = cli.clock.nowMs();
        if (name !== undefined) {
          const view = machineView(log, resolveMachine(log, name));
          await cli.output.result(documentOf(view, nowMs), () => signalLines(cli, view, nowMs));
          return;
        }
        const views = machineIdsOf(log)
          .map((machineId) => machineView(log, machineId))
          .filter(({ removed }) => options.all === true || !removed);
        await cli.output.result(
          views.map((view) => documentOf(view, nowMs)),
          () => (views.length === 0 ? ["no machine yet"] : machineLines(cli, views, nowMs)),
        );
      } finally {
        log.close();
      }
    });
}

function documentOf(view: MachineView, nowMs: number): unknown {
  const known = new Set(view.signals.map(({ name }) => name));
  const unknown = [...view.samples.keys()].filter((name) => !known.has(name));
  return {
    machineId: view.machineId,
    typeName: view.typeName,
    connectionId: view.connectionId,
    removed: view.removed,
    lastUpdateMs: view.lastUpdateMs,
    ageMs: view.lastUpdateMs === null ? null : nowMs - view.lastUpdateMs,
    signals: [...view.signals, ...unknown.map((name) => ({ name, title: name, unit: "", key: false }))].map(
      (signal) => {
        const sample = view.samples.get(signal.name);
        return {
          ...signal,
          value: sample?.value ?? null,
          statusCode: sample?.statusCode ?? null,
          status: sample ? statusName(sample.statusCode) : null,
          sourceTimestampMs: sample?.sourceTimestampMs ?? null,
          serverTimestampMs: sample?.serverTimestampMs ?? null,
          receivedTimestampMs: sample?.receivedTimestampMs ?? null,
        };
      },
    ),
  };
}

function machineLines(cli: Cli, views: readonly MachineView[], nowMs: number): string[] {
  const rows = views.map((view) => [
    harmless(view.machineId),
    harmless(view.typeName),
    String(view.signals.length),
    view.lastUpdateMs === null ? "never" : durationText(nowMs - view.lastUpdateMs),
    view.removed ? "(no longer configured)" : keyValues(cli, view),
  ]);
  return tableLines(
    [
      { title: "MACHINE" },
      { title: "TYPE" },
      { title: "SIGNALS", align: "right" },
      { title: "UPDATED", align: "right" },
      { title: "KEY VALUES" },
    ],
    rows,
  );
}

function keyValues(cli: Cli, view: MachineView): string {
  return view.signals
    .filter(({ key }) => key)
    .map(({ name, unit }) => {
      const sample = view.samples.get(name);
      if (!sample) return `${name} –`;
      const severity = severityOf(sample.statusCode);
      const shown =
        severity === "bad" ? statusName(sample.statusCode) : `${valueText(sample.value)}${unit && ` ${unit}`}`;
      return cli.output.paint(severity, harmless(`${name} ${shown}`));
    })
    .join(", ");
}

function signalLines(cli: Cli, view: MachineView, nowMs: number): string[] {
  const unitOf = new Map(view.signals.map(({ name, unit }) => [name, unit]));
  const names = [...new Set([...unitOf.keys(), ...view.samples.keys()])];
  const rows = names.map((name) => {
    const sample = view.samples.get(name);
    const severity = sample ? severityOf(sample.statusCode) : "bad";
    return [
      harmless(name),
      sample ? valueText(sample.value) : "–",
      unitOf.get(name) ?? "",
      cli.output.paint(severity, sample ? statusName(sample.statusCode) : "no sample yet"),
      sample ? durationText(nowMs - sample.receivedTimestampMs) : "–",
    ];
  });
  return [
    harmless(
      `${view.machineId}  ${view.typeName}  on ${view.connectionId}${view.removed ? "  (no longer configured)" : ""}`,
    ),
    "",
    ...tableLines(
      [
        { title: "SIGNAL" },
        { title: "VALUE", align: "right" },
        { title: "UNIT" },
        { title: "STATUS" },
        { title: "AGE", align: "right" },
      ],
      rows,
    ),
  ];
}
