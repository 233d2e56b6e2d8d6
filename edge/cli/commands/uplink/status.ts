import { Command } from "commander";
import { LANES } from "../../../../cloud-sync/uplink/ports.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import { openLogReader } from "../../../log/reader.ts";
import type { Cli } from "../../cli.ts";
import { findLog, type LogOptions, withLogOptions } from "../../find-log.ts";
import { boundsOfLog } from "../../log-bounds.ts";
import { factLines, tableLines } from "../../table.ts";
import { bytesText, durationText, harmless, timeText } from "../../text.ts";
import { digits, numberText, plural } from "../log/words.ts";
import { conditionText, keptText } from "./condition-text.ts";
import { type UplinkReport, uplinkReport } from "./uplink-report.ts";

export function uplinkStatusCommand(cli: Cli): Command {
  return withLogOptions(new Command("status"))
    .description("how the line to the cloud is, what waits, and what went today; exit code 1 when something is wrong")
    .addHelpText("after", "\nWorks from the files alone, also when nothing runs.")
    .action(async (options: LogOptions) => {
      const path = await findLog(cli, options);
      const { bounds, config } = await boundsOfLog(cli, options, path);
      const log = openLogReader(path);
      try {
        const isConfigured = config === null ? null : config.uplink !== undefined;
        // What ran before it was taken out of the configuration is no trouble of today.
        const report = isConfigured === false ? undefined : uplinkReport(log, bounds, cli.clock.nowMs());
        if (report === undefined) {
          throw new EdgeError("UPLINK_CONFIG", noUplinkText(isConfigured), {
            hint: "README, The line to the cloud, says what to write into tailstock.yaml.",
          });
        }
        if (report.level !== "calm") cli.problemFound();
        await cli.output.result(report, () => reportLines(cli, report));
      } finally {
        log.close();
      }
    });
}

function noUplinkText(isConfigured: boolean | null): string {
  if (isConfigured === true) return "the uplink is configured, and has not reported yet: it begins with the runtime";
  return isConfigured === false ? "the configuration of this log has no uplink" : "no uplink has run beside this log";
}

function reportLines(cli: Cli, report: UplinkReport): string[] {
  const { status, waiting } = report;
  const { lanes, today, lastError, lastAckMs, deadLetters } = status;
  const nowMs = cli.clock.nowMs();
  const severity = report.level === "alarm" ? "bad" : report.level === "warn" ? "uncertain" : "good";
  const budget = today.unitsMax === null ? "" : ` of ${numberText(today.unitsMax)}`;
  const rate = status.bytesPerSecondMax;
  return [
    ...factLines([
      ["line", cli.output.paint(severity, conditionText(report, nowMs))],
      ["hub", harmless(status.hub)],
      ["acknowledged", lastAckMs === null ? "nothing yet" : `${durationText(nowMs - lastAckMs)} ago`],
      ["waiting", `${plural(waiting.readings, "reading")} in ${plural(waiting.events, "event")}`],
      ["kept", keptText(report)],
      [
        "today",
        `${plural(today.messages, "message")}, ${numberText(today.units)}${budget} units of 4 KB, ${bytesText(today.bytes)}`,
      ],
      [
        "gathering",
        `${durationText(status.gatherMs)} into one message; ${plural(status.inFlight, "message")} under way`,
      ],
      ["limit", rate === null ? "none" : `${bytesText(rate)}/s for catching up`],
      [
        "set aside",
        deadLetters === 0
          ? "nothing"
          : cli.output.paint(
              "uncertain",
              `${plural(deadLetters, "message")} (see: tailstock uplink dead-letters list)`,
            ),
      ],
      ...(lastError === null
        ? []
        : [
            ["last error", harmless(`${lastError.message} (${lastError.code}, ${timeText(lastError.atMs)})`)] as const,
            ["", harmless(lastError.hint)] as const,
          ]),
    ]),
    "",
    ...tableLines(
      [
        { title: "LANE" },
        { title: "EVENTS WAIT", align: "right" },
        { title: "OLDEST", align: "right" },
        { title: "EVENTS/S", align: "right" },
        { title: "RATE", align: "right" },
        { title: "DRAINED IN", align: "right" },
      ],
      LANES.map((lane) => {
        const { backlogEvents, lagMs, eventsPerSecond, bytesPerSecond, drainMs } = lanes[lane];
        return [
          lane,
          numberText(backlogEvents),
          backlogEvents === 0 ? "–" : durationText(lagMs),
          digits(eventsPerSecond),
          `${bytesText(Math.round(bytesPerSecond))}/s`,
          drainMs === null ? "–" : durationText(drainMs),
        ];
      }),
    ),
  ];
}
