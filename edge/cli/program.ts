import { Command } from "commander";
import { tailstockVersion } from "../kernel/version.ts";
import type { Cli } from "./cli.ts";
import { browseCommand } from "./commands/browse.ts";
import { certsCommand } from "./commands/certs.ts";
import { cloudCommand } from "./commands/cloud.ts";
import { configCommand } from "./commands/config.ts";
import { demoCommand } from "./commands/demo.ts";
import { hubCommand } from "./commands/hub.ts";
import { lakeCommand } from "./commands/lake.ts";
import { logCommand } from "./commands/log.ts";
import { machinesCommand } from "./commands/machines.ts";
import { mirrorCommand } from "./commands/mirror.ts";
import { readCommand } from "./commands/read.ts";
import { statusCommand } from "./commands/status.ts";
import { tailCommand } from "./commands/tail.ts";
import { upCommand } from "./commands/up.ts";
import { uplinkCommand } from "./commands/uplink.ts";

const EXAMPLES = `
Examples:
  tailstock demo                                             a simulated factory, live on a dashboard
  tailstock config check tailstock.yaml                      every mistake, with its line
  tailstock up -c tailstock.yaml                             poll one's own machines
  tailstock status                                           also when nothing runs: it reads the log
  tailstock tail mill-01 --signal spindleSpeed --since 5m
  tailstock log simulate-outage 72h                          is there room for a long outage?
  tailstock uplink status                                    the line to the cloud
  tailstock cloud status                                     the central office: what it has, what is missing
  tailstock browse opc.tcp://192.168.1.20:4840 --depth 3
  tailstock read modbus+tcp://192.168.1.30 holding:100x4 --expect 55.2

Exit codes: 0 fine, 1 failed or a problem was found, 2 the command line is wrong.`;

/** The whole command line. Commands load what they need when they run, so that a short one starts fast. */
export function createProgram(cli: Cli): Command {
  const program = new Command("tailstock")
    .description("Polls machines over OPC UA and Modbus, keeps every reading in a local log, shows them live.")
    .version(tailstockVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .option("--json", "one JSON document instead of text; streams give one JSON value a line")
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", EXAMPLES);
  for (const make of [
    demoCommand,
    upCommand,
    statusCommand,
    machinesCommand,
    tailCommand,
    readCommand,
    browseCommand,
    certsCommand,
    logCommand,
    hubCommand,
    uplinkCommand,
    cloudCommand,
    mirrorCommand,
    lakeCommand,
    configCommand,
  ]) {
    program.addCommand(make(cli));
  }
  harden(program);
  return program;
}

/** Commander must neither exit by itself nor print errors: main.ts does both, in one form. */
function harden(command: Command): void {
  command.exitOverride();
  command.configureOutput({ outputError: () => undefined, writeErr: () => undefined });
  command.configureHelp({ showGlobalOptions: true });
  for (const sub of command.commands) harden(sub);
}
