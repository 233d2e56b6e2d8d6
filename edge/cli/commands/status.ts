import { Command } from "commander";
import { type Severity, statusName } from "../../kernel/status-code.ts";
import { type Forecast, forecast } from "../../log/forecast.ts";
import type { BoundsOptions } from "../../log/keep/bounds.ts";
import { openLogReader, type SqliteLogReader } from "../../log/reader.ts";
import type { Cli } from "../cli.ts";
import { findLog, type LogOptions, withLogOptions } from "../find-log.ts";
import { boundsOfLog } from "../log-bounds.ts";
import { type ConnectionView, connectionViews, countSeverities, machineIdsOf, machineView } from "../log-view.ts";
import { type RuntimeState, runtimeState } from "../runtime-state.ts";
import { factLines, tableLines } from "../table.ts";
import { bytesText, countText, durationText, harmless } from "../text.ts";
import { fullText, shareText } from "./log/usage.ts";
import { digits, mebibytes, plural } from "./log/words.ts";
import { conditionText } from "./uplink/condition-text.ts";
import { type UplinkReport, uplinkReport } from "./uplink/uplink-report.ts";

const PROBLEMS_SHOWN = 10;

interface StatusOptions extends LogOptions {
  readonly dashboard?: string;
}

export function statusCommand(cli: Cli): Command {
  return withLogOptions(new Command("status"))
    .description("how the runtime, its connections and its log are; exit code 1 when something is wrong")
    .option("--dashboard <url>", "where to ask for /api/health")
    .addHelpText("after", "\nWorks from the log file alone, also when nothing runs.")
    .action(async (options: StatusOptions) => {
      const path = await findLog(cli, options);
      const { bounds, config } = await boundsOfLog(cli, options, path);
      const log = openLogReader(path);
      try {
        const nowMs = cli.clock.nowMs();
        // A box whose configuration names no uplink any more is not asked for one that ran before.
        const uplink = config !== null && config.uplink === undefined ? undefined : uplinkReport(log, bounds, nowMs);
        const report = { ...(await statusReport(log, bounds, nowMs, options.dashboard)), uplink: uplink ?? null };
        const isFine =
          report.runtime.state === "running" &&
          report.connections.every(({ state }) => state === "connected") &&
          (uplink?.level ?? "calm") === "calm";
        if (!isFine) cli.problemFound();
        await cli.output.result(report, () => reportLines(cli, report));
      } finally {
        log.close();
      }
    });
}

interface StatusReport {
  readonly runtime: RuntimeState;
  readonly log: {
    readonly path: string;
    readonly epoch: string;
    readonly sizeBytes: number;
    readonly head: number;
    readonly events: number;
    readonly forecast: Forecast;
  };
  readonly connections: readonly (ConnectionView & { readonly ageMs: number })[];
  readonly machines: readonly (Record<Severity, number> & {
    readonly machineId: string;
    readonly typeName: string;
    readonly connectionId: string;
    readonly signals: number;
    readonly lastUpdateMs: number | null;
    readonly ageMs: number | null;
  })[];
  readonly cursors: readonly { name: string; offset: number; behind: number; updatedMs: number }[];
  /** Null where none runs and none is configured. */
  readonly uplink: UplinkReport | null;
}

async function statusReport(
  log: SqliteLogReader,
  bounds: BoundsOptions,
  nowMs: number,
  dashboardUrl?: string,
): Promise<Omit<StatusReport, "uplink">> {
  const views = machineIdsOf(log)
    .map((machineId) => machineView(log, machineId))
    .filter(({ removed }) => !removed);
  const head = log.head();
  return {
    runtime: await runtimeState(log, nowMs, dashboardUrl),
    log: {
      path: log.path,
      epoch: log.epoch,
      sizeBytes: log.sizeBytes(),
      head,
      // Of all streams: an offset is no count, for it may begin anywhere.
      events: log.streams().reduce((sum, { lastSeq }) => sum + lastSeq, 0),
      forecast: forecast(log, bounds),
    },
    connections: connectionViews(log, views).map((view) => ({ ...view, ageMs: nowMs - view.timeMs })),
    machines: views.map((view) => ({
      machineId: view.machineId,
      typeName: view.typeName,
      connectionId: view.connectionId,
      signals: view.signals.length,
      lastUpdateMs: view.lastUpdateMs,
      ageMs: view.lastUpdateMs === null ? null : nowMs - view.lastUpdateMs,
      ...countSeverities(view.samples.values()),
    })),
    cursors: log.cursors().map((cursor) => ({ ...cursor, behind: head - cursor.offset })),
  };
}

function reportLines(cli: Cli, report: StatusReport): string[] {
  const { runtime, log, machines, connections, cursors } = report;
  const isRunning = runtime.state === "running";
  const facts = factLines([
    ["runtime", `${isRunning ? "running" : cli.output.paint("bad", "NOT running")} (${runtime.detail})`],
    ["log", `${log.path}, ${bytesText(log.sizeBytes)}, ${countText(log.events, "event")}`],
    ["room", roomText(log.forecast)],
    ...(report.uplink === null ? [] : [["uplink", uplinkText(cli, report.uplink)] as const]),
  ]);
  if (!isRunning && connections.length > 0) facts.push("", "What follows is how things were when the runtime stopped.");
  const machineRows = machines.map((machine) => [
    harmless(machine.machineId),
    harmless(machine.typeName),
    String(machine.signals),
    machine.good + machine.bad + machine.uncertain === 0
      ? "no sample yet"
      : machine.bad + machine.uncertain === 0
        ? "all good"
        : cli.output.paint(machine.bad > 0 ? "bad" : "uncertain", `${machine.bad} bad, ${machine.uncertain} uncertain`),
    machine.ageMs === null ? "never" : durationText(machine.ageMs),
  ]);
  return [
    ...facts,
    ...connections.flatMap((connection) => ["", ...connectionLines(cli, connection)]),
    "",
    ...(machines.length === 0
      ? ["no machine yet"]
      : tableLines(
          [
            { title: "MACHINE" },
            { title: "TYPE" },
            { title: "SIGNALS", align: "right" },
            { title: "QUALITY" },
            { title: "LAST UPDATE", align: "right" },
          ],
          machineRows,
        )),
    ...(cursors.length === 0
      ? []
      : [
          "",
          ...tableLines(
            [{ title: "CURSOR" }, { title: "OFFSET", align: "right" }, { title: "BEHIND", align: "right" }],
            cursors.map(({ name, offset, behind }) => [harmless(name), String(offset), String(behind)]),
          ),
        ]),
  ];
}

/** One line of what `tailstock log usage` says. */
function roomText(present: Forecast): string {
  const used = `${shareText(present)} of ${mebibytes(present.quotaBytes)} MiB used`;
  if (present.readingsPerS === 0) return used;
  return `${used}; ${digits(present.readingsPerS)} readings/s at ${digits(present.bytesPerReading)} B; full ${fullText(present)}`;
}

/** One line of what `tailstock uplink status` says. */
function uplinkText(cli: Cli, report: UplinkReport): string {
  const { level, waiting, status } = report;
  const line = conditionText(report, cli.clock.nowMs());
  const painted = level === "calm" ? line : cli.output.paint(level === "alarm" ? "bad" : "uncertain", line);
  const aside = status.deadLetters === 0 ? "" : `; ${plural(status.deadLetters, "message")} set aside`;
  return `${painted}; ${plural(waiting.readings, "reading")} wait${waiting.readings === 1 ? "s" : ""}${aside}`;
}

function connectionLines(cli: Cli, connection: StatusReport["connections"][number]): string[] {
  const severity = connection.state === "connected" ? "good" : connection.state === "degraded" ? "uncertain" : "bad";
  const name = connection.connectionId === connection.address ? "" : ` at ${connection.address}`;
  const problems = connection.problems.slice(0, PROBLEMS_SHOWN);
  return [
    `connection ${harmless(connection.connectionId + name)}`,
    `  ${cli.output.paint(severity, connection.state)}: ${harmless(connection.detail)} (${durationText(connection.ageMs)} ago)`,
    ...(connection.hint === null ? [] : [`  ${harmless(connection.hint)}`]),
    ...problems.map((problem) =>
      harmless(
        `  ${problem.machineId} ${problem.signal}: ${problem.message} (${statusName(problem.statusCode)}). ${problem.hint}`,
      ),
    ),
    ...(connection.problems.length > problems.length
      ? [`  and ${connection.problems.length - problems.length} more; --json shows all`]
      : []),
  ];
}
