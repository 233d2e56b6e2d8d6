import { Command } from "commander";
import type { Forecast } from "../../../log/forecast.ts";
import { openLogReader } from "../../../log/reader.ts";
import { type LogSurvey, surveyLog } from "../../../log/survey.ts";
import type { Cli } from "../../cli.ts";
import { findLog, type LogOptions, withLogOptions } from "../../find-log.ts";
import { boundsOfLog } from "../../log-bounds.ts";
import { factLines, tableLines } from "../../table.ts";
import { bytesText, durationText, timeText } from "../../text.ts";
import { type WrittenBytes, writtenBytes } from "../../written-bytes.ts";
import { digits, mebibytes, numberText, plural, STATE_TEXT } from "./words.ts";

export function usageCommand(cli: Cli): Command {
  return withLogOptions(new Command("usage"))
    .description("used of its quota, what comes in, time to full, what waits, what is no longer here")
    .addHelpText("after", "\nExample:\n  tailstock log usage --log /var/lib/tailstock/tailstock.db")
    .action(async (options: LogOptions) => {
      const path = await findLog(cli, options);
      const { bounds, configPath } = await boundsOfLog(cli, options, path);
      const log = openLogReader(path);
      try {
        const survey = surveyLog(log, bounds);
        const isSound = survey.tail.damagedCommits === 0;
        if (!isSound) cli.problemFound();
        const written = writtenBytes(path, cli.clock.nowMs(), survey.forecast.readingsPerS);
        await cli.output.result({ ...survey, configPath, written }, () => usageLines(cli, survey, configPath, written));
      } finally {
        log.close();
      }
    });
}

/** "of 10240 MiB" and where that is from. */
export function quotaText(quotaBytes: number, configPath: string | null): string {
  return `${mebibytes(quotaBytes)} MiB (log.quotaMiB ${configPath === null ? "by default: no configuration of this log found" : `of ${configPath}`})`;
}

export function rateText({ readingsPerS, bytesPerReading, bytesPerS, basis }: Forecast): string {
  if (readingsPerS === 0) return "nothing that a rate could be taken from";
  return `${digits(readingsPerS)} readings/s at ${digits(bytesPerReading)} B each, ${bytesText(Math.round(bytesPerS * 86_400))} a day (from ${basis})`;
}

/** What is used of the quota. */
export function shareText({ usedBytes, quotaBytes }: Forecast): string {
  const percent = (usedBytes / quotaBytes) * 100;
  return percent < 0.1 ? "less than 0.1 %" : `${digits(percent)} %`;
}

/** When the room is used up at the present rate, if that comes before readings go by age. */
export function fullText({ timeToFullMs, maxAgeMs }: Forecast): string {
  if (timeToFullMs === null) return "never: nothing comes in";
  if (timeToFullMs === 0) return "now: the oldest readings are being thinned";
  if (timeToFullMs > maxAgeMs) return `never: readings go by age, after ${durationText(maxAgeMs)} of running`;
  return `in ${durationText(timeToFullMs)}`;
}

function writtenText({ bytes, bytesPerS, bytesPerReading }: WrittenBytes): string {
  const perReading = bytesPerReading === null ? "" : `, ${digits(bytesPerReading)} B a reading`;
  return `${bytesText(Math.round(bytesPerS))}/s to the disk${perReading}; ${bytesText(bytes)} since the collector began`;
}

function usageLines(cli: Cli, survey: LogSurvey, configPath: string | null, written: WrittenBytes | null): string[] {
  const { usage, forecast, tail, blocks, epochs, states } = survey;
  const { quotaBytes } = forecast;
  const isDiskSmaller = forecast.limitBytes < quotaBytes;
  const current = epochs.at(-1);
  const facts = factLines([
    ["log", survey.path],
    ["used", `${bytesText(usage.usedBytes)}, ${shareText(forecast)} of the quota`],
    ["quota", quotaText(quotaBytes, configPath)],
    ...(isDiskSmaller
      ? [["disk", cli.output.paint("uncertain", `leaves ${bytesText(forecast.limitBytes)} only`)] as const]
      : []),
    [
      "file",
      `${bytesText(usage.fileBytes)}, of it ${bytesText(usage.freeBytes)} free within, ${bytesText(usage.walBytes)} write-ahead log`,
    ],
    ["room", `${bytesText(Math.round(forecast.roomBytes))} until readings are thinned`],
    ["rate", rateText(forecast)],
    ["full", fullText(forecast)],
    ...(written === null ? [] : [["written", writtenText(written)] as const]),
    ["oldest reading", survey.oldestReadingMs === null ? "none" : timeText(survey.oldestReadingMs)],
    ...(survey.oldestAggregateMs === null ? [] : [["oldest aggregate", timeText(survey.oldestAggregateMs)] as const]),
    [
      "blocks",
      `${numberText(blocks.whole)} whole, ${numberText(blocks.thinned)} thinned${blocks.setAside === 0 ? "" : `, ${numberText(blocks.setAside)} damaged and set aside`}`,
    ],
    [
      "to be sealed",
      tail.commits === 0
        ? "nothing"
        : `${plural(tail.readings, "reading")} in ${plural(tail.commits, "commit")}${tail.sinceMs === null ? "" : ` since ${timeText(tail.sinceMs)}`}`,
    ],
    ...(tail.damagedCommits === 0
      ? []
      : [["damaged", cli.output.paint("bad", `${plural(tail.damagedCommits, "commit")} of these`)] as const]),
    [
      "epoch",
      `${current?.epoch ?? "none"}${epochs.length < 2 ? "" : `, ${current?.cause}; ${plural(epochs.length - 1, "earlier one")} in this file`}`,
    ],
  ]);
  if (states.length === 0) return [...facts, "", "no event yet"];
  return [
    ...facts,
    "",
    ...tableLines(
      [{ title: "EVENTS", align: "right" }, { title: "READINGS", align: "right" }, { title: "WHAT BECAME OF THEM" }],
      states.map(({ state, events, readings }) => [numberText(events), numberText(readings), STATE_TEXT[state]]),
    ),
  ];
}
