import { CommanderError } from "commander";
import { systemClock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import type { Cli } from "./cli.ts";
import { Output } from "./output.ts";
import { createProgram } from "./program.ts";

// Exit codes: 0 fine, 1 failed or a problem was found, 2 the command line is wrong.
const ENDING_MS_MAX = 4_800;
const argv = process.argv.slice(2);
const ends = argv.indexOf("--");
const json = argv.slice(0, ends < 0 ? undefined : ends).includes("--json");
const { NO_COLOR, TAILSTOCK_DEBUG, TAILSTOCK_LOG_LEVEL, ...environment } = process.env;
const output = new Output({
  json,
  colour: process.stdout.isTTY === true && !NO_COLOR && !json,
  debug: Boolean(TAILSTOCK_DEBUG),
});
const ending = new AbortController();
let exitCode = 0;

/** The first order to stop ends the command properly, within a bound; a second one ends it at once. */
function stop(): void {
  if (ending.signal.aborted) process.exit(130);
  ending.abort();
  setTimeout(() => process.exit(1), ENDING_MS_MAX).unref();
}
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, stop);
// The launcher's channel closes however the launcher dies. It must not keep a finished command alive.
process.once("disconnect", () => {
  if (!ending.signal.aborted) stop();
});
process.channel?.unref();

// `| head` closes the pipe when it has seen enough: that is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
}

const cli: Cli = {
  output,
  cwd: process.cwd(),
  clock: systemClock,
  signal: ending.signal,
  logLevel: TAILSTOCK_LOG_LEVEL ?? "info",
  environment,
  nodeArguments: process.execArgv,
  problemFound: () => {
    exitCode = 1;
  },
};

try {
  await createProgram(cli).parseAsync(argv, { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) {
    exitCode = error.exitCode === 0 ? 0 : 2;
    if (exitCode !== 0) output.error(usageError(error));
  } else {
    exitCode = error instanceof EdgeError && error.code === "USAGE" ? 2 : 1;
    output.error(error);
  }
}
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit(exitCode);

function usageError(error: CommanderError): EdgeError {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  if (error.code === "commander.help") {
    return new EdgeError("USAGE", "a command is missing", { hint: "Run tailstock --help for the list." });
  }
  const hint = rest.join(" ").replace(/^\((.*)\)$/, "$1") || "Add --help to see what the command takes.";
  return new EdgeError("USAGE", first, { hint });
}
