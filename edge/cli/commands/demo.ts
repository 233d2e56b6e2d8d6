import { join } from "node:path";
import { Command } from "commander";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { announce } from "../demo/announce.ts";
import { CLOUD_CONSUMER_GROUP, startDemoCloud } from "../demo/demo-cloud.ts";
import { DEMO_LOG_NAME, freePort, prepareDemoFolder, writeDemoConfig } from "../demo/demo-config.ts";
import { DEMO_SITES, type DemoFactory, deviceOf, startFactory } from "../demo/demo-factories.ts";
import { connectDemoHub, startDemoHub } from "../demo/demo-hub.ts";
import { demoFolder } from "../demo/running-demo.ts";
import { startSimulator } from "../demo/simulator-process.ts";
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
  readonly factories: string;
  readonly officePort?: string;
  readonly hub: boolean;
  readonly cloud: boolean;
  readonly logLevel: string;
}

export function demoCommand(cli: Cli): Command {
  const command = new Command("demo")
    .description(
      "a simulated factory on real OPC UA and Modbus servers, collected, shown, forwarded, and seen by a central office, until Ctrl-C",
    )
    .option("--data <folder>", "where its log, configuration and certificates are kept (default: ./data/demo)")
    .option("--seed <number>", "another seed is another day in the factory", "1")
    .option("--port <port>", "the dashboard's port (default: 8080, or any free one when that is taken)")
    .option("--factories <count>", "so many factories, each with machines and a box of its own, up to five", "1")
    .option("--office-port <port>", "the central office's port (default: 8090, or any free one when that is taken)")
    .option("--no-cloud", "without a central office")
    .option("--no-hub", "without a local hub to forward to, and so without a central office")
    .option("--log-level <level>", "the runtime's log lines: fatal, error, warn, info, debug or trace", "warn")
    .action((options: DemoOptions) => demo(cli, options));
  command.addCommand(demoInjectCommand(cli));
  command.addCommand(demoFaultsCommand(cli));
  command.addCommand(demoLineCommand(cli));
  return command;
}

async function demo(cli: Cli, options: DemoOptions): Promise<void> {
  const seed = parseCount(options.seed, { min: 0, max: 0xffff_ffff, what: "a seed" });
  const count = parseCount(options.factories, { min: 1, max: DEMO_SITES.length, what: "a number of factories" });
  const portOf = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : parseCount(text, PORT);
  const [wantedPort, officePort] = [portOf(options.port), portOf(options.officePort)];
  const folder = demoFolder(cli, options.data);
  const logPath = join(folder, DEMO_LOG_NAME);
  refuseSecond(logPath);
  prepareDemoFolder(folder);
  const sites = DEMO_SITES.slice(0, count);
  const hasCloud = options.hub && options.cloud;
  cli.output.note(`starting ${whatOf(count, options.hub, hasCloud)} …`);
  await using children = new Children();
  const life = lifeOf(cli, children);
  const starting = options.hub
    ? startDemoHub(cli, folder, { devices: sites.map(deviceOf), consumerGroups: [CLOUD_CONSUMER_GROUP] })
    : Promise.resolve(undefined);
  children.last(async () => (await starting)?.stop());
  const simulator = await startSimulator({ seed, folder, nodeArguments: cli.nodeArguments, signal: cli.signal });
  children.last(() => simulator.stop());
  void simulator.ended.then(life.died);
  const hub = await starting;
  life.tell(hub, "the factory goes on, and its readings wait in the log");
  const opening = hub && hasCloud ? startDemoCloud(cli, hub, folder, officePort) : Promise.resolve(undefined);
  children.first(async () => (await opening)?.stop());
  const others = await startOthers(cli, sites, { seed, folder }, hub, children);
  const port = wantedPort === undefined || wantedPort === 0 ? await freePort(wantedPort ?? 8080) : wantedPort;
  const uplink = hub && (await connectDemoHub(cli, hub, simulator.addresses.control, folder, deviceOf(DEMO_SITES[0])));
  const configPath = await writeDemoConfig(folder, simulator.addresses, { dashboardPort: port, uplink });
  const edge = runEdgeProcess(
    cli,
    {
      configPath,
      logPath,
      controlUrl: simulator.addresses.control,
      withDashboard: true,
      logLevel: parseLogLevel(options.logLevel),
      onReady: async (dashboardUrl) => {
        const cloud = await opening;
        if (life.signal.aborted) return;
        life.tell(cloud, "the factories go on, and their events wait in the hub");
        await announce(cli, { dashboardUrl, folder, configPath, simulator: simulator.addresses, hub, cloud, others });
      },
    },
    life.signal,
  );
  await Promise.race([edge, overdue(life.signal)]);
  await children[Symbol.asyncDispose]();
  if (life.death !== undefined)
    throw new EdgeError("DRIVER_NOT_CONNECTED", life.death, { hint: "Start the demo again; its log is kept." });
}

function whatOf(factories: number, withHub: boolean, withCloud: boolean): string {
  const factory = factories === 1 ? "the simulated factory" : `${factories} simulated factories`;
  if (!withHub) return factory;
  return withCloud ? `${factory}, a local hub and the central office` : `${factory} and a local hub`;
}

/** Ends with the simulator, without which there is nothing to show; of the others' end people are only told. */
function lifeOf(cli: Cli, children: Children) {
  const ending = new AbortController();
  const life = {
    signal: AbortSignal.any([cli.signal, ending.signal]),
    death: undefined as string | undefined,
    died(how: string): void {
      if (!life.signal.aborted) life.death = how;
      ending.abort();
    },
    tell(child: { readonly ended: Promise<string> } | undefined, consequence: string): void {
      void child?.ended.then((how) => {
        if (!life.signal.aborted) cli.output.note(`${how}; ${consequence}`);
      });
    },
  };
  life.signal.addEventListener("abort", () => children.begin(), { once: true });
  return life;
}

/**
 * The processes that the demo has started. Some are ended at once when it is to end, beside the runtime; the last ones when the runtime has
 * ended, for it still speaks to them.
 */
class Children implements AsyncDisposable {
  readonly #first: (() => Promise<void>)[] = [];
  readonly #last: (() => Promise<void>)[] = [];
  #begun: Promise<unknown> | undefined;

  first(stop: () => Promise<void>): void {
    this.#first.push(stop);
  }

  last(stop: () => Promise<void>): void {
    this.#last.push(stop);
  }

  begin(): void {
    this.#begun ??= Promise.all(this.#first.map((stop) => stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.begin();
    await Promise.all([this.#begun, ...this.#last.splice(0).map((stop) => stop())]);
  }
}

/** All but the first, one after the other: together they would fight for the processor longer than that takes. */
async function startOthers(
  cli: Cli,
  sites: readonly string[],
  { seed, folder }: { seed: number; folder: string },
  hub: Parameters<typeof startFactory>[2],
  children: Children,
): Promise<DemoFactory[]> {
  const factories: DemoFactory[] = [];
  children.first(async () => {
    await Promise.all(factories.map((factory) => factory.stop()));
  });
  for (const [at, site] of sites.entries()) {
    if (at > 0) factories.push(await startFactory(cli, { site, at, seed, folder }, hub));
  }
  return factories;
}

function overdue(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => setTimeout(resolve, RUNTIME_ENDING_MS_MAX).unref(), { once: true });
  });
}
