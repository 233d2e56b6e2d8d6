import { Command } from "commander";
import type { LakeAnswer, LakeCell } from "../../../../cloud-sync/lake/open-lake.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { parseCount, parseSince } from "../../duration.ts";
import { tableLines } from "../../table.ts";
import { harmless } from "../../text.ts";
import { numberText, plural } from "../log/words.ts";
import { findLake, type LakeOptions, parseMemory, withLakeOptions } from "./find-lake.ts";

interface QueryOptions extends LakeOptions {
  readonly factory?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly memory?: string;
}

const TABLE_ROWS = 100;
const JSON_ROWS = 100_000;
const CELL_LENGTH_MAX = 60;
const NUMBER_TYPE = /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DOUBLE|FLOAT|DECIMAL.*)$/;

export function lakeQueryCommand(cli: Cli): Command {
  return withLakeOptions(new Command("query"))
    .description("one SELECT over readings, events and rollups; with --json a line for each row")
    .argument("<sql>", "DuckDB's SQL")
    .option("--factory <id>", "only files of this factory")
    .option("--from <time>", "only files that have rows from then on: 2026-06-01, 2026-06-01T08:00Z, or 7d ago")
    .option("--to <time>", "only files that have rows from before then")
    .option("--limit <rows>", `rows that are shown (default: ${TABLE_ROWS}, with --json ${numberText(JSON_ROWS)})`)
    .option("--memory <MB>", "what DuckDB may take before it goes to the disk", "1024")
    .action(async (sql: string, options: QueryOptions) => {
      const { openLake } = await import("../../../../cloud-sync/lake/open-lake.ts");
      const nowMs = cli.clock.nowMs();
      const rowsMax =
        options.limit === undefined
          ? cli.output.json
            ? JSON_ROWS
            : TABLE_ROWS
          : parseCount(options.limit, { min: 1, max: JSON_ROWS, what: "a number of rows" });
      const lake = openLake({
        place: await findLake(cli, options),
        factory: options.factory,
        fromMs: options.from === undefined ? undefined : parseSince(options.from, nowMs),
        toMs: options.to === undefined ? undefined : parseSince(options.to, nowMs),
        memoryMb: parseMemory(options.memory ?? "1024"),
      });
      const answer = await lake.query(sql, { rowsMax, signal: cli.signal });
      if (cli.output.json) await jsonLines(cli, answer, options.limit !== undefined);
      else {
        await cli.output.lines(answerLines(answer));
        cli.output.note(countNote(answer));
      }
    });
}

async function jsonLines(cli: Cli, answer: LakeAnswer, isLimited: boolean): Promise<void> {
  const names = uniqueNames(answer.columns.map(({ name }) => name));
  for (const row of answer.rows)
    await cli.output.jsonLine(Object.fromEntries(names.map((name, i) => [name, row[i] ?? null])));
  if (isLimited || answer.rowCount === answer.rows.length) return;
  cli.problemFound();
  cli.output.error(
    new EdgeError("LAKE_QUERY", `only the first ${answer.rows.length} rows of the answer were given`, {
      hint: "Name how many are wanted with --limit, or ask for fewer.",
    }),
  );
}

/** An object has each name once. */
function uniqueNames(names: readonly string[]): string[] {
  return names.map((name, i) => (names.indexOf(name) === i ? name : `${name}:${i + 1}`));
}

function answerLines({ columns, rows }: LakeAnswer): string[] {
  return tableLines(
    columns.map(({ name, type }) => ({ title: harmless(name), align: NUMBER_TYPE.test(type) ? "right" : "left" })),
    rows.map((row) => row.map(cellText)),
  );
}

function cellText(cell: LakeCell): string {
  if (cell === null) return "–";
  const text = harmless(typeof cell === "object" ? JSON.stringify(cell) : String(cell));
  return text.length > CELL_LENGTH_MAX ? `${text.slice(0, CELL_LENGTH_MAX - 1)}…` : text;
}

function countNote({ rows, rowCount }: LakeAnswer): string {
  if (rowCount === undefined) return `the first ${numberText(rows.length)} of very many rows; more with --limit`;
  if (rowCount === rows.length) return plural(rowCount, "row");
  return `the first ${numberText(rows.length)} of ${plural(rowCount, "row")}; more with --limit`;
}
