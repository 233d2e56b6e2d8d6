import { resolve } from "node:path";
import { Command } from "commander";
import {
  compareLedgers,
  type LedgerDifference,
  type LedgerRange,
  type LedgerState,
} from "../../../../cloud-sync/contract/ledger.ts";
import { openLogReader } from "../../../log/reader.ts";
import { type VerifyReport, verifyLog } from "../../../log/verify.ts";
import type { Cli } from "../../cli.ts";
import { findLog, type LogOptions, withLogOptions } from "../../find-log.ts";
import { ProgressLine } from "../../progress.ts";
import { tableLines } from "../../table.ts";
import { harmless, timeText } from "../../text.ts";
import { numberText, plural, rangeText, STATE_TEXT } from "./words.ts";

const SHOWN_MAX = 50;

interface VerifyOptions extends LogOptions {
  readonly ledger?: boolean;
  readonly against?: string;
}

const EXAMPLES = `
Examples:
  tailstock log verify                            the log of ./tailstock.yaml
  tailstock log verify backup.db                  any log file, also a backup
  tailstock log verify --ledger --json            what became of every number, for a program
  tailstock log verify --against backup.db        which events the other lacks, and why

Others may go on writing meanwhile. Nothing is changed.`;

export function verifyCommand(cli: Cli): Command {
  return withLogOptions(new Command("verify"))
    .description("proves every block, the tail and that no number is missing; exit code 1 when something is wrong")
    .argument("[file]", "the log file (default: the one that the options name)")
    .option("--ledger", "also what became of every event: ranges of seq, by machine")
    .option("--against <file>", "compare with another log instead: its backup, or what was salvaged from it")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string | undefined, options: VerifyOptions) => {
      const path = await findLog(cli, file === undefined ? options : { log: file });
      await (options.against === undefined
        ? verify(cli, path, options.ledger ?? false)
        : compare(cli, path, resolve(cli.cwd, options.against)));
    });
}

async function verify(cli: Cli, path: string, withLedger: boolean): Promise<void> {
  const report = await proven(cli, path);
  if (report.faults.length > 0) cli.problemFound();
  const { ledger, ...rest } = report;
  await cli.output.result(withLedger ? { ...rest, ledger } : rest, () => [
    ...reportLines(cli, report),
    ...(withLedger ? ["", ...ledgerLines(ledger)] : []),
  ]);
}

/** Verifies with progress on a terminal. */
export async function proven(cli: Cli, path: string): Promise<VerifyReport> {
  using line = new ProgressLine(cli.output);
  line.show("looking at the file's structure");
  return await verifyLog(path, (share) => line.show("proving blocks", share));
}

export function reportLines(cli: Cli, { path, epoch, faults, ...report }: VerifyReport): string[] {
  const states = Object.entries(report.eventsByState) as [LedgerState, number][];
  const shown = faults.slice(0, SHOWN_MAX);
  const proof = `${plural(report.blocks, "block")} with ${plural(report.samples, "reading")} of ${plural(report.machines, "stream")}`;
  return [
    `${path}, epoch ${epoch === "" ? "unknown" : epoch}`,
    faults.length === 0
      ? `Sound: ${proof}, and every event is accounted for.`
      : cli.output.paint("bad", `DAMAGED: ${plural(faults.length, "fault")}. ${proof} are proven.`),
    ...(states.length === 0
      ? []
      : ["", ...states.map(([state, count]) => `  ${numberText(count).padStart(12)}  ${STATE_TEXT[state]}`)]),
    ...(shown.length === 0 ? [] : ["", ...shown.map((fault) => harmless(`  ${fault}`))]),
    ...(faults.length > shown.length ? [`  and ${faults.length - shown.length} more; --json shows all`] : []),
    ...(faults.length === 0
      ? []
      : ["", "What is readable can be brought back into a new file: tailstock log salvage FILE"]),
  ];
}

function ledgerLines(ledger: readonly LedgerRange[]): string[] {
  const epochs = [...new Set(ledger.map(({ epoch }) => epoch))];
  return [
    ...tableLines(
      [
        { title: "MACHINE" },
        { title: "SEQ" },
        { title: "STATE" },
        { title: "READINGS", align: "right" },
        { title: "FROM" },
        { title: "TO" },
        { title: "EPOCH" },
        { title: "HASH" },
      ],
      ledger.map((range) => [
        harmless(range.machineId),
        rangeText(range),
        range.state,
        range.state === "fresh" || range.state === "lost" ? "–" : numberText(range.samples),
        range.toMs === 0 ? "–" : timeText(range.fromMs),
        range.toMs === 0 ? "–" : timeText(range.toMs),
        range.epoch.slice(0, 8),
        range.hash === "" ? "–" : range.hash,
      ]),
    ),
    ...(epochs.length === 0 ? ["no event yet"] : []),
  ];
}

interface Comparison {
  readonly path: string;
  readonly against: string;
  readonly differences: readonly LedgerDifference[];
}

async function compare(cli: Cli, path: string, against: string): Promise<void> {
  const [ours, theirs] = [ledgerOf(path), ledgerOf(against)];
  const comparison = { path, against, differences: compareLedgers(ours, theirs) };
  if (comparison.differences.length > 0) cli.problemFound();
  await cli.output.result(comparison, () => comparisonLines(cli, comparison));
}

function ledgerOf(path: string): LedgerRange[] {
  const log = openLogReader(path);
  try {
    return log.ledger();
  } finally {
    log.close();
  }
}

function comparisonLines(cli: Cli, { path, against, differences }: Comparison): string[] {
  if (differences.length === 0) return [`${path} and ${against} have the same events.`];
  const rows = differences
    .slice(0, SHOWN_MAX)
    .map((difference) => [
      harmless(difference.machineId),
      rangeText(difference),
      numberText(difference.lastSeq - difference.firstSeq + 1),
      differenceText(difference),
      difference.epoch.slice(0, 8),
    ]);
  const more = differences.length - rows.length;
  return [
    `A  ${path}`,
    `B  ${against}`,
    "",
    cli.output.paint("uncertain", `They differ in ${plural(differences.length, "range")}:`),
    ...tableLines(
      [{ title: "MACHINE" }, { title: "SEQ" }, { title: "EVENTS", align: "right" }, { title: "" }, { title: "EPOCH" }],
      rows,
    ),
    ...(more > 0 ? [`and ${more} more; --json shows all`] : []),
  ];
}

function differenceText({ kind, why }: LedgerDifference): string {
  if (kind === "altered") return "the same events, other bytes";
  const [here, there] = kind === "missing" ? ["A", "B"] : ["B", "A"];
  return `only in ${here}; in ${there} ${why === undefined ? "never seen" : STATE_TEXT[why]}`;
}
