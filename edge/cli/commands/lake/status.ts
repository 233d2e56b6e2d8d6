import { Command } from "commander";
import { LAKE_KINDS } from "../../../../cloud-sync/lake/columns.ts";
import type { LakeFile } from "../../../../cloud-sync/lake/lake-catalog.ts";
import type { Cli } from "../../cli.ts";
import { factLines, tableLines } from "../../table.ts";
import { bytesText } from "../../text.ts";
import { digits, numberText } from "../log/words.ts";
import { findLake, type LakeOptions, withLakeOptions } from "./find-lake.ts";

interface KindStatus {
  readonly kind: string;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  readonly bytesPerRow: number | null;
  /** UTC dates of the earliest and latest row. */
  readonly from: string | null;
  readonly to: string | null;
  readonly factories: number;
}

export function lakeStatusCommand(cli: Cli): Command {
  return withLakeOptions(new Command("status"))
    .description("how much there is of what, from which days and factories")
    .action(async (options: LakeOptions) => {
      const { openLake } = await import("../../../../cloud-sync/lake/open-lake.ts");
      const lake = openLake({ place: await findLake(cli, options) });
      const files = await lake.files(cli.signal);
      const kinds = LAKE_KINDS.map((kind) =>
        statusOf(
          kind,
          files.filter((file) => file.kind === kind),
        ),
      );
      await cli.output.result({ lake: lake.name, kinds }, () => statusLines(lake.name, kinds));
    });
}

function statusOf(kind: string, files: readonly LakeFile[]): KindStatus {
  let [rows, bytes] = [0, 0];
  let [from, to]: [number | null, number | null] = [null, null];
  for (const file of files) {
    rows += file.rows;
    bytes += file.bytes;
    if (file.minMs !== null && (from === null || file.minMs < from)) from = file.minMs;
    if (file.maxMs !== null && (to === null || file.maxMs > to)) to = file.maxMs;
  }
  const factories = new Set(files.map(({ factoryId }) => factoryId)).size;
  const bytesPerRow = rows === 0 ? null : bytes / rows;
  return { kind, files: files.length, rows, bytes, bytesPerRow, from: isoText(from), to: isoText(to), factories };
}

function isoText(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}

function statusLines(name: string, kinds: readonly KindStatus[]): string[] {
  const right = { align: "right" } as const;
  return [
    ...factLines([["lake", name]]),
    "",
    ...tableLines(
      [
        { title: "KIND" },
        { title: "ROWS", ...right },
        { title: "SIZE", ...right },
        { title: "A ROW", ...right },
        { title: "FILES", ...right },
        { title: "FACTORIES", ...right },
        { title: "FROM (UTC)" },
        { title: "TO (UTC)" },
      ],
      kinds.map(({ kind, rows, bytes, bytesPerRow, files, factories, from, to }) => [
        kind,
        numberText(rows),
        bytesText(bytes),
        bytesPerRow === null ? "–" : `${digits(bytesPerRow)} B`,
        numberText(files),
        numberText(factories),
        from?.slice(0, 19).replace("T", " ") ?? "–",
        to?.slice(0, 19).replace("T", " ") ?? "–",
      ]),
    ),
  ];
}
