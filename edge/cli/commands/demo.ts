import { join } from "node:path";
import { Command } from "commander";
import type { HubAddresses } from "../../../cloud-sync/hub/hub-file.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { DEMO_LOG_NAME, freePort, prepareDemoFolder, writeDemoConfig } from "../demo/demo-config.ts";
import { connectDemoHub, startDemoHub } from "../demo/demo-hub.ts";
import type { HubProcess } from "../demo/hub-process.ts";
import { demoFolder } from "../demo/running-demo.ts";
import { type SimulatorProcess, startSimulator } from "../demo/simulator-process.ts";
import { parseCount } from "../duration.ts";
import { refuseSecond, runEdgeProcess } from "../edge-process.ts";
import { parseLogLevel } from "../log-level.ts";
import { demoFaultsCommand, demoInjectCommand } from "./demo-faults.ts";
import { demoLineCommand } from "./demo-line.ts";

/** What Ctrl-C leaves to the runtime before the simulator is ended as well: both within the five seconds of all. */
const RUNTIME_ENDING_MS_MAX = 3_000;
const PORT = { min: 0, max: 65_535, what: "a port" };

interface DemoOptions {
  readonly data?: string;
  readonly seed: string;
  readonly port?: string;
  readonly hub: boolean;
  readonly logLevel: string;
}

export function demoCommand(cli: Cli): Command {
  const command = new Command("demo")
    .description("a simulated factory on real OPC UA and Modbus servers, collected, shown and forwarded, until Ctrl-C")
    .option("--data <folder>", "where its log, configuration and certificates are kept (default: ./data/demo)")
    .option("--seed <number>", "another seed is another day in the factory", "1")
    .option("--port <port>", "the dashboard's port (default: 8080, or any free one when that is taken)")
    .option("--no-hub", "without a local hub to forward to")
    .option("--log-level <level>", "the runtime's log lines: fatal, error, warn, info, debug or trace", "warn")
    .action((options: DemoOptions) => demo(cli, options));
  command.addCommand(demoInjectCommand(cli));
  command.addCommand(demoFaultsCommand(cli));
  command.addCommand(demoLineCommand(cli));
  return command;
}

async function demo(cli: Cli, options: DemoOptions): Promise<void> {
  const seed = parseCount(options.seed, { min: 0, max: 0xffff_ffff, what: "a seed" });
  const wantedPort = options.port === undefined ? undefined : parseCount(options.port, PORT);
  const folder = demoFolder(cli, options.data);
  const logPath = join(folder, DEMO_LOG_NAME);
  refuseSecond(logPath);
  prepareDemoFolder(folder);
  cli.output.note(`starting the simulated factory${options.hub ? " and a local hub" : ""} …`);
  const starting = options.hub ? startDemoHub(cli, folder) : Promise.resolve(undefined);
  let simulator: SimulatorProcess;
  try {
    simulator = await startSimulator({ seed, folder, nodeArguments: cli.nodeArguments, signal: cli.signal });
  } catch (error) {
    await (await starting)?.stop();
    throw error;
  }
  const hub = await starting;
  const { opcua, modbus, control } = simulator.addresses;
  const addresses = { opcua, modbus, control };
  const ending = new AbortController();
  const signal = AbortSignal.any([cli.signal, ending.signal]);
  let death: string | undefined;
  void simulator.ended.then((how) => {
    if (!signal.aborted) death = how;
    ending.abort();
  });
  void hub?.ended.then((how) => {
    if (!signal.aborted) cli.output.note(`${how}; the factory goes on, and its readings wait in the log`);
  });
  try {
    const port = wantedPort === undefined || wantedPort === 0 ? await freePort(wantedPort ?? 8080) : wantedPort;
    const uplink = hub && (await connectDemoHub(cli, hub, control, folder));
    const configPath = await writeDemoConfig(folder, simulator.addresses, port, uplink);
    const running = runEdgeProcess(
      cli,
      {
        configPath,
        logPath,
        controlUrl: simulator.addresses.control,
        withDashboard: true,
        logLevel: parseLogLevel(options.logLevel),
        onReady: (dashboardUrl) =>
          announce(cli, { dashboardUrl, folder, configPath, ...addresses, hub: hubFacts(hub) }),
      },
      signal,
    );
    await Promise.race([running, overdue(signal)]);
  } finally {
    await Promise.all([simulator.stop(), hub?.stop()]);
  }
  if (death !== undefined) {
    throw new EdgeError("DRIVER_NOT_CONNECTED", death, { hint: "Start the demo again; its log is kept." });
  }
}

function overdue(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => setTimeout(resolve, RUNTIME_ENDING_MS_MAX).unref(), { once: true });
  });
}

interface Announcement {
  readonly dashboardUrl: string | null;
  readonly folder: string;
  readonly configPath: string;
  readonly opcua: string;
  readonly modbus: string;
  readonly control: string;
  /** Null without one. */
  readonly hub: Pick<HubAddresses, "mqtt" | "https" | "amqp" | "ca" | "connections"> | null;
}

function hubFacts(hub: HubProcess | undefined): Announcement["hub"] {
  if (!hub) return null;
  const { mqtt, https, amqp, ca, connections } = hub.addresses;
  return { mqtt, https, amqp, ca, connections };
}

function announce(cli: Cli, facts: Announcement): Promise<void> {
  if (cli.output.json) return cli.output.jsonLine({ ready: true, pid: process.pid, ...facts });
  return cli.output.lines([
    "",
    `  Dashboard      ${facts.dashboardUrl ?? "none"}`,
    "",
    `  OPC UA server  ${facts.opcua}`,
    `  Modbus server  ${facts.modbus}`,
    ...(facts.hub === null
      ? []
      : [
          `  Local hub      ${facts.hub.mqtt} (devices)`,
          `                 ${facts.hub.https} (services)`,
          ...(facts.hub.amqp === null ? [] : [`                 ${facts.hub.amqp} (events)`]),
          `                 connection strings in ${facts.hub.connections}`,
        ]),
    `  Configuration  ${facts.configPath}`,
    "",
    "  In another terminal, in this folder:",
    "    npx tailstock status",
    "    npx tailstock tail mill-01 --signal spindleSpeed",
    "    npx tailstock demo inject spike mill-01 --for 60s",
    ...(facts.hub === null ? [] : ["    npx tailstock demo line cut --for 2m", "    npx tailstock hub tail"]),
    "",
    "  Ctrl-C ends everything.",
    "",
  ]);
}
