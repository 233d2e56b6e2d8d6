import { resolve } from "node:path";
import { Command } from "commander";
import { EdgeError } from "../../../kernel/errors.ts";
import { backUpLog, restoreLog } from "../../../log/backup.ts";
import { openLogReader } from "../../../log/reader.ts";
import type { Cli } from "../../cli.ts";
import { findLog, type LogOptions, logPathFor, withLogOptions } from "../../find-log.ts";
import { ProgressLine } from "../../progress.ts";
import { readRuntimeFile } from "../../runtime-file.ts";
import { runtimeState } from "../../runtime-state.ts";
import { plural } from "./words.ts";

export function backupCommand(cli: Cli): Command {
  return withLogOptions(new Command("backup"))
    .description("copies the log, as it is at one moment, into a new file, and proves the copy")
    .argument("<file>", "the copy; it must not be there yet")
    .addHelpText(
      "after",
      "\nExample:\n  tailstock log backup /media/usb/mill-hall.db\n\nThe collector may go on writing meanwhile. The copy is one file, and a log by itself.",
    )
    .action(async (file: string, options: LogOptions) => {
      const path = await findLog(cli, options);
      const target = resolve(cli.cwd, file);
      const { ledger: _, ...report } = await backUp(cli, path, target);
      await cli.output.result({ from: path, ...report }, () => [
        `${path} is copied to ${target}, and the copy is sound:`,
        `${plural(report.blocks, "block")} with ${plural(report.samples, "reading")} of ${plural(report.machines, "stream")}; every event is accounted for.`,
      ]);
    });
}

function backUp(cli: Cli, path: string, target: string) {
  const line = new ProgressLine(cli.output);
  return backUpLog(path, target, (share, step) =>
    line.show(step === "copy" ? "copying" : "proving the copy", share),
  ).finally(() => line[Symbol.dispose]());
}

export function restoreCommand(cli: Cli): Command {
  return withLogOptions(new Command("restore"))
    .description("puts a backup in the place of the log; what is there now is set aside, not overwritten")
    .argument("<file>", "the backup, or what was salvaged")
    .addHelpText(
      "after",
      "\nExample:\n  tailstock log restore /media/usb/mill-hall.db -c tailstock.yaml\n\nThe collector must be stopped first. Nothing is asked: the log that was there is renamed, and its new name printed.",
    )
    .action(async (file: string, options: LogOptions) => {
      const backup = resolve(cli.cwd, file);
      const path = await logPathFor(cli, options);
      if (backup === path) throw new EdgeError("USAGE", `${path} can't be restored from itself`);
      await refuseWhileWritten(cli, path);
      const { report, epoch, setAside } = await restoreLog(backup, path, cli.clock);
      const result = { backup, path, epoch, setAside, blocks: report.blocks, samples: report.samples };
      await cli.output.result(result, () => [
        `${path} is now what ${backup} holds: ${plural(report.blocks, "block")} with ${plural(report.samples, "reading")} of ${plural(report.machines, "stream")}.`,
        `It goes on in a new epoch (${epoch}), so that no number is given out twice.`,
        ...(setAside.length === 0
          ? ["There was no log before."]
          : ["What was there is set aside:", ...setAside.map((each) => `  ${each}`)]),
      ]);
    });
}

/**
 * Moving the file away from under a collector would lose what it writes.
 * @throws EdgeError USAGE
 */
async function refuseWhileWritten(cli: Cli, path: string): Promise<void> {
  const runtime = readRuntimeFile(path);
  if (runtime?.alive === true) {
    throw new EdgeError("USAGE", `process ${runtime.pid} writes ${path}`, { hint: "Stop it first." });
  }
  let log: ReturnType<typeof openLogReader>;
  try {
    log = openLogReader(path);
  } catch (error) {
    // None there, or one so damaged that nobody could write it: that is what a restore is for.
    if (error instanceof EdgeError) return;
    throw error;
  }
  try {
    const { state, detail } = await runtimeState(log, cli.clock.nowMs());
    if (state === "not-running") return;
    throw new EdgeError("USAGE", `something writes ${path} (${detail})`, {
      hint: "Stop the collector first; one that was killed counts as running for 45 s after its last commit.",
    });
  } catch (error) {
    if (error instanceof EdgeError && error.code === "USAGE") throw error;
    // It opens, and then can't be read: as above.
  } finally {
    log.close();
  }
}
