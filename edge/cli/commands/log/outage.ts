import { Command } from "commander";
import { EdgeError } from "../../../kernel/errors.ts";
import { type Forecast, forecast, type OutageForecast, simulateOutage } from "../../../log/forecast.ts";
import { openLogReader } from "../../../log/reader.ts";
import type { Cli } from "../../cli.ts";
import { parseDuration } from "../../duration.ts";
import { findLog, type LogOptions, withLogOptions } from "../../find-log.ts";
import { boundsOfLog } from "../../log-bounds.ts";
import { factLines } from "../../table.ts";
import { bytesText, durationText } from "../../text.ts";
import { quotaText, rateText } from "./usage.ts";
import { mebibytes, numberText } from "./words.ts";

const DAY_MS = 86_400_000;

export function outageCommand(cli: Cli): Command {
  return withLogOptions(new Command("simulate-outage"))
    .description(
      "whether the log has room for so long without a line, at the present rate; exit code 1 when it has not",
    )
    .argument("<duration>", "such as 8h, 72h or 14d")
    .addHelpText("after", "\nExample:\n  tailstock log simulate-outage 72h -c tailstock.yaml")
    .action(async (text: string, options: LogOptions) => {
      const durationMs = parseDuration(text);
      const path = await findLog(cli, options);
      const { bounds, configPath } = await boundsOfLog(cli, options, path);
      const log = openLogReader(path);
      try {
        const present = forecast(log, bounds);
        if (present.readingsPerS === 0) {
          throw new EdgeError("LOG_UNAVAILABLE", `${path} has too few readings to take a rate from`, {
            hint: "Let the collector run for a minute, then ask again.",
          });
        }
        const outage = simulateOutage(present, durationMs);
        if (!outage.fits) cli.problemFound();
        const quotaMiBNeeded = mebibytes(outage.quotaNeededBytes);
        await cli.output.result({ path, configPath, quotaMiBNeeded, present, outage }, () =>
          outageLines(cli, present, outage, quotaText(present.quotaBytes, configPath)),
        );
      } finally {
        log.close();
      }
    });
}

function outageLines(cli: Cli, present: Forecast, outage: OutageForecast, quota: string): string[] {
  const { fits, fullAfterMs, thinnedReadings, expiredReadings, quotaNeededBytes } = outage;
  const facts = factLines([
    ["rate", rateText(present)],
    ["needed", `${bytesText(Math.round(outage.neededBytes))} for ${numberText(outage.readings)} readings`],
    ["room", `${bytesText(Math.round(outage.roomBytes))} of the quota of ${quota}`],
  ]);
  const lasts = longText(outage.durationMs);
  if (fits) {
    return [...facts, "", `An outage of ${lasts} fits: every reading is kept.`];
  }
  const lines = [...facts, "", cli.output.paint("bad", `An outage of ${lasts} does not fit.`)];
  if (fullAfterMs !== null) {
    lines.push(
      `The room is used up after ${durationText(fullAfterMs)}; from then on the oldest readings are reduced to one-minute aggregates, about ${numberText(thinnedReadings)} of them.`,
      `To keep all of them: log.quotaMiB: ${mebibytes(quotaNeededBytes)}`,
    );
    const shortBytes = quotaNeededBytes - present.diskLimitBytes;
    if (shortBytes > 0) lines.push(`The disk has not got so much: ${bytesText(shortBytes)} are missing.`);
  }
  if (expiredReadings > 0) {
    lines.push(
      `${numberText(expiredReadings)} readings would be older than the log keeps before the line is back. To keep them: log.maxAgeDays: ${Math.ceil(outage.durationMs / DAY_MS)}`,
    );
  }
  return lines;
}

/** "72 h", "14 d": what was asked for, not rounded away. */
function longText(durationMs: number): string {
  if (durationMs >= 3_600_000) return `${Number((durationMs / 3_600_000).toFixed(2))} h`;
  return durationText(durationMs);
}
