import { Command } from "commander";
import type { Cli } from "../../cli.ts";
import { type CloudOptions, withCloud, withCloudOptions } from "../../cloud/with-cloud.ts";
import { durationText } from "../../text.ts";
import { numberText } from "../log/words.ts";

export function cloudRebuildCommand(cli: Cli): Command {
  return withCloudOptions(new Command("rebuild"))
    .description("makes a read model anew from the event store; the result is the same, unless it was damaged")
    .argument("<name>", "as `tailstock cloud status` lists it")
    .addHelpText("after", "\nThe others go on meanwhile; until it is done, this one shows only what it has read again.")
    .action((name: string, options: CloudOptions) =>
      withCloud(cli, options, async ({ database, store, logger }) => {
        const { rebuildProjection } = await import("../../../../cloud-sync/projections/rebuild.ts");
        const startedMs = cli.clock.monotonicMs();
        const { clock, signal } = cli;
        const documents = await rebuildProjection(name, { store, database, signal, logger, clock });
        const tookMs = Math.round(cli.clock.monotonicMs() - startedMs);
        await cli.output.result({ name, documents, tookMs }, () => [
          `${name} was made anew from ${numberText(documents)} documents in ${durationText(tookMs)}`,
        ]);
      }),
    );
}
