import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import {
  type ClassNeed,
  cheapestOf,
  classNeeds,
  type DailyLoad,
  loadOf,
  loadOfMeasured,
  loadOfSingles,
} from "../../../../cloud-sync/uplink/bill/bill.ts";
import { type LiveSize, measureLongestSize } from "../../../../cloud-sync/uplink/bill/live-size.ts";
import { PRICES_KNOWN, PRICES_URL } from "../../../../cloud-sync/uplink/bill/price-classes.ts";
import type { UplinkStatus } from "../../../../cloud-sync/uplink/ports.ts";
import { DEFAULTS } from "../../../kernel/config/defaults.ts";
import { type Config, machinesOf } from "../../../kernel/config/model.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import { openLogReader } from "../../../log/reader.ts";
import type { Cli } from "../../cli.ts";
import { parseDuration } from "../../duration.ts";
import { findLog } from "../../find-log.ts";
import { boundsOfLog } from "../../log-bounds.ts";
import { factLines, tableLines } from "../../table.ts";
import { bytesText, durationText } from "../../text.ts";
import { digits, numberText, plural } from "../log/words.ts";
import { uplinkWord } from "./uplink-word.ts";

/** Where there is no log to measure on: times, status and an analog value, packed a few seconds at a time. */
const BYTES_PER_READING_GUESS = 4;
/** A line's worth of counters every half minute, where nothing was measured. */
const PRIORITY_MESSAGES_GUESS = 2_880;
const LATENCY_MS_MIN = 100;
const LATENCY_MS_MAX = 3_600_000;
const SPAN_MS_MIN = 60_000;

interface BillOptions {
  readonly log?: string;
  readonly data?: string;
  readonly config?: string;
  readonly latency?: string;
}

interface Part {
  /** What it is the bill of. */
  readonly what: string;
  /** Where its numbers are from. */
  readonly basis: string;
  readonly latencyMs: number | null;
  readonly readingsPerSecond: number;
  readonly bytesPerReading: number | null;
  readonly load: DailyLoad;
  readonly classes: readonly ClassNeed[];
  readonly cheapest: ClassNeed | null;
}

export function billCommand(cli: Cli): Command {
  return new Command("bill")
    .description("messages and units of 4 KB a day, and the IoT Hub that takes them; for now, and for a configuration")
    .option("--log <file>", "the log file itself")
    .option("--data <folder>", "the folder with tailstock.db in it")
    .option("-c, --config <file>", "a configuration, applied or not: what it would come to")
    .option("--latency <duration>", "how long readings are gathered into one message (default: uplink.latencyMs)")
    .addHelpText("after", "\nExample:\n  tailstock uplink bill --config new.yaml --latency 30s")
    .action(async (options: BillOptions) => {
      const asked = options.latency === undefined ? undefined : parseLatency(options.latency);
      const planned = options.config === undefined ? undefined : await configOf(cli, options.config);
      const { parts, missing } = await measured(cli, options, planned, asked);
      if (parts.length === 0) throw missing;
      const singles = loadOfSingles(parts.at(-1)?.load.readings ?? 0);
      const onePerReading = { load: singles, classes: classNeeds(singles) };
      const prices = { currency: "USD", kind: "US list prices, no offer", known: PRICES_KNOWN, source: PRICES_URL };
      await cli.output.result({ parts, onePerReading, prices }, () => billLines(parts, onePerReading));
    });
}

function parseLatency(text: string): number {
  const latencyMs = parseDuration(text);
  if (latencyMs >= LATENCY_MS_MIN && latencyMs <= LATENCY_MS_MAX) return latencyMs;
  throw new EdgeError("USAGE", `${text} is no latency that an uplink may have`, { hint: "Give 100ms to 1h." });
}

async function configOf(cli: Cli, name: string): Promise<Config> {
  const { loadConfig } = await import("../../../kernel/config/load.ts");
  return (await loadConfig(resolve(cli.cwd, name))).config;
}

async function measured(
  cli: Cli,
  { log: file, data, config: configName }: BillOptions,
  planned: Config | undefined,
  asked: number | undefined,
): Promise<{ parts: Part[]; missing: EdgeError | undefined }> {
  let path: string;
  try {
    // The log of the configuration, if it has one already; else the one that is found here.
    const ofPlanned = planned !== undefined && existsSync(planned.log.path) ? planned.log.path : undefined;
    const named = file ?? (data === undefined ? ofPlanned : undefined);
    path = await findLog(cli, {
      ...(named === undefined ? {} : { log: named }),
      ...(data === undefined ? {} : { data }),
    });
  } catch (error) {
    if (!(error instanceof EdgeError) || planned === undefined || file !== undefined || data !== undefined) throw error;
    return { parts: [plannedPart(planned, configName ?? "", asked, undefined)], missing: undefined };
  }
  const { config } = await boundsOfLog(cli, {}, path);
  const log = openLogReader(path);
  try {
    const latencyMs = asked ?? config?.uplink?.latencyMs ?? DEFAULTS.uplink.latencyMs;
    const parts: Part[] = [];
    const { status } = uplinkWord(path);
    const recent = asked === undefined ? recentPart(status) : undefined;
    const size = measureLongestSize(log, latencyMs);
    if (recent) parts.push(recent);
    else if (size) parts.push(presentPart(size, latencyMs));
    if (planned) {
      const plannedMs = asked ?? planned.uplink?.latencyMs ?? DEFAULTS.uplink.latencyMs;
      const plannedSize = plannedMs === latencyMs ? size : measureLongestSize(log, plannedMs);
      parts.push(plannedPart(planned, configName ?? "", plannedMs, plannedSize));
    }
    const hint = "Let the collector run for a minute or three latencies, then ask again; or name a --config.";
    const missing = new EdgeError("LOG_UNAVAILABLE", `${path} has too few readings to take a rate from`, { hint });
    return { parts, missing };
  } finally {
    log.close();
  }
}

/** What the uplink itself has counted in its last hour. */
function recentPart(status: UplinkStatus | undefined): Part | undefined {
  const recent = status?.recent;
  if (!status || !recent || recent.spanMs < SPAN_MS_MIN || recent.samples === 0) return undefined;
  return part({
    what: "now",
    basis: `what the uplink has sent in ${durationText(recent.spanMs)}`,
    latencyMs: status.gatherMs,
    readingsPerSecond: (recent.samples / recent.spanMs) * 1_000,
    bytesPerReading: recent.bytes / recent.samples,
    load: loadOfMeasured(recent),
  });
}

function presentPart(size: LiveSize, latencyMs: number): Part {
  return part({
    what: "now",
    basis: `the newest readings of the log, packed as the uplink packs them (${plural(size.windows, "message")} measured${atMost(size, latencyMs)})`,
    latencyMs,
    readingsPerSecond: size.readingsPerSecond,
    bytesPerReading: size.bytesPerReading,
    load: loadOf({ ...size, latencyMs }),
  });
}

/** A log too short for the window asked for was measured by a shorter one. */
function atMost(size: LiveSize, latencyMs: number): string {
  return size.latencyMs >= latencyMs
    ? ""
    : `, gathered for ${durationText(size.latencyMs)}, for which the log is long enough: at most so much, for longer gathering packs better`;
}

function plannedPart(config: Config, name: string, asked: number | undefined, size: LiveSize | undefined): Part {
  const latencyMs = asked ?? config.uplink?.latencyMs ?? DEFAULTS.uplink.latencyMs;
  const signals = machinesOf(config).flatMap((machine) => [...machine.signals]);
  const readingsPerSecond = signals.reduce(
    (sum, signal) => sum + 1_000 / ("pollIntervalMs" in signal ? signal.pollIntervalMs : signal.samplingIntervalMs),
    0,
  );
  const bytesPerReading = size?.bytesPerReading ?? BYTES_PER_READING_GUESS;
  const priorityMessagesPerDay =
    size?.priorityMessagesPerDay ?? PRIORITY_MESSAGES_GUESS * Math.max(1, config.connections.length);
  const from = size
    ? `as this log's readings pack${atMost(size, latencyMs)}`
    : "assumed, for there is no log to measure on";
  return part({
    what: `with ${name}`,
    basis: `${plural(signals.length, "signal")} at their intervals, each with a new value every time; ${digits(bytesPerReading)} B a reading, ${from}`,
    latencyMs,
    readingsPerSecond,
    bytesPerReading,
    load: loadOf({ readingsPerSecond, bytesPerReading, latencyMs, priorityMessagesPerDay }),
  });
}

function part(known: Omit<Part, "classes" | "cheapest">): Part {
  const classes = classNeeds(known.load);
  return { ...known, classes, cheapest: cheapestOf(classes) ?? null };
}

function billLines(
  parts: readonly Part[],
  onePerReading: { load: DailyLoad; classes: readonly ClassNeed[] },
): string[] {
  const lines = parts.flatMap((each) => [...partLines(each), ""]);
  const { load, classes } = onePerReading;
  const s1 = classes.find(({ name }) => name === "S1");
  const cheapest = cheapestOf(classes);
  return [
    ...lines,
    `One message per reading would be ${numberText(load.messages)} messages a day: ${plural(s1?.unitsNeeded ?? 0, "S1 unit")}${cheapest ? `, or ${classText(cheapest)}` : ", more than any hub takes"}.`,
    "",
    `Prices are US list prices a month as known in ${PRICES_KNOWN}, without tax: an order of magnitude, and no offer.`,
    `Today's: ${PRICES_URL}`,
  ];
}

function partLines({
  what,
  basis,
  latencyMs,
  readingsPerSecond,
  bytesPerReading,
  load,
  classes,
  cheapest,
}: Part): string[] {
  return [
    `${what}:`,
    ...factLines([
      ["readings", `${digits(readingsPerSecond)}/s, from ${basis}`],
      [
        "messages",
        `${numberText(load.messages)} a day${latencyMs === null ? "" : `, gathered for ${durationText(latencyMs)} each`}`,
      ],
      ["units", `${numberText(load.units)} of 4 KB a day`],
      [
        "bytes",
        `${bytesText(load.bytes)} a day${bytesPerReading === null ? "" : `, ${digits(bytesPerReading)} B a reading`}`,
      ],
    ]),
    ...tableLines(
      [{ title: "CLASS" }, { title: "UNITS", align: "right" }, { title: "USD A MONTH", align: "right" }, { title: "" }],
      classes.map(({ name, unitsNeeded, usdPerMonth, fits, hasCommands }) => [
        name,
        fits ? numberText(unitsNeeded) : "too many",
        fits ? numberText(usdPerMonth) : "–",
        name === cheapest?.name
          ? "the cheapest with commands from the cloud"
          : hasCommands
            ? ""
            : "no commands, no IoT Edge",
      ]),
    ),
  ];
}

function classText({ name, unitsNeeded, usdPerMonth }: ClassNeed): string {
  return `${plural(unitsNeeded, `${name} unit`)} for USD ${numberText(usdPerMonth)} a month`;
}
