import { Command } from "commander";
import type { Compaction } from "../../../../cloud-sync/lake/compact-lake.ts";
import type { Cli } from "../../cli.ts";
import { withCloud } from "../../cloud/with-cloud.ts";
import { bytesText } from "../../text.ts";
import { plural } from "../log/words.ts";
import { findLake, type LakeOptions, parseMemory, withLakeOptions } from "./find-lake.ts";

interface CompactOptions extends LakeOptions {
  readonly memory?: string;
}

export function lakeCompactCommand(cli: Cli): Command {
  return withLakeOptions(new Command("compact"))
    .description("merges small files into large ones, beside a cloud side that runs or without one")
    .option("--memory <MB>", "what it may take before it goes to the disk", "512")
    .action(async (options: CompactOptions) => {
      const { compactLake } = await import("../../../../cloud-sync/lake/compact-lake.ts");
      const place = await findLake(cli, options);
      const memoryMb = parseMemory(options.memory ?? "512");
      const done = await withCloud(cli, options, ({ database, logger }) =>
        compactLake({ database, place, logger, memoryMb, signal: cli.signal }),
      );
      await cli.output.result(done, () => compactionLines(done));
    });
}

function compactionLines({
  partitions,
  filesBefore,
  filesAfter,
  bytesBefore,
  bytesAfter,
  removed,
  tooLarge,
}: Compaction): string[] {
  return [
    partitions === 0
      ? "nothing to merge"
      : `${plural(filesBefore, "file")} (${bytesText(bytesBefore)}) became ${plural(filesAfter, "file")} (${bytesText(bytesAfter)})`,
    ...(tooLarge === 0 ? [] : [`${plural(tooLarge, "merge")} would take more memory than allowed: --memory`]),
    ...(removed === 0 ? [] : [`${plural(removed, "file")} of earlier merges removed`]),
  ];
}
