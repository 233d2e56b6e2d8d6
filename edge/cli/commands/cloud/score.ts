import { join } from "node:path";
import { Command } from "commander";
import type { HistoryCounts } from "../../../../cloud-sync/scoring/score-history.ts";
import type { Cli } from "../../cli.ts";
import { withCloud } from "../../cloud/with-cloud.ts";
import { parseSince } from "../../duration.ts";
import { findLake, type LakeOptions, withLakeOptions } from "../lake/find-lake.ts";
import { numberText, plural } from "../log/words.ts";

interface ScoreOptions extends LakeOptions {
  readonly from: string;
  readonly to?: string;
  readonly factory?: string;
  readonly machine?: string;
  readonly models?: string;
}

const MODELS_FOLDER = join(import.meta.dirname, "..", "..", "..", "..", "models");

export function cloudScoreCommand(cli: Cli): Command {
  return withLakeOptions(new Command("score"))
    .description(
      "scores readings of the lake by the cloud's models; what was said before stays, so it may be run again",
    )
    .option("--from <time>", "readings from then on: 2026-06-01, 2026-06-01T08:00Z, or 7d ago", "30d")
    .option("--to <time>", "readings from before then (default: now)")
    .option("--factory <id>", "of this factory alone")
    .option("--machine <id>", "of this machine alone")
    .option("--models <folder>", "folder of the models (default: those that came with the program)")
    .action(async (options: ScoreOptions) => {
      const [{ scoreHistory }, { loadScoringModels }] = await Promise.all([
        import("../../../../cloud-sync/scoring/score-history.ts"),
        import("../../../../cloud-sync/scoring/scoring-models.ts"),
      ]);
      const { clock, signal } = cli;
      const nowMs = clock.nowMs();
      const [fromMs, toMs] = [parseSince(options.from, nowMs), parseSince(options.to ?? "0ms", nowMs)];
      const lake = await findLake(cli, options);
      const models = await loadScoringModels(options.models ?? MODELS_FOLDER);
      const done = await withCloud(cli, options, ({ config, database, store }) =>
        scoreHistory({
          lake,
          store,
          database,
          models,
          rules: config.scoring?.rules ?? [],
          fromMs,
          toMs,
          ...(options.factory === undefined ? {} : { factory: options.factory }),
          ...(options.machine === undefined ? {} : { machine: options.machine }),
          clock,
          signal,
        }),
      );
      await cli.output.result({ ...done }, () => scoreLines(done));
    });
}

function scoreLines({ readings, said, written }: HistoryCounts): string[] {
  return [
    `${plural(readings, "reading")} scored, ${plural(said, "event")}, ${numberText(written)} of them new`,
    ...(readings === 0 ? ["The lake has no reading of a scored signal from that time."] : []),
  ];
}
