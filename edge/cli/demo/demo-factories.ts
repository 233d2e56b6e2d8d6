import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Cli } from "../cli.ts";
import { freePort, prepareDemoFolder, writeDemoConfig } from "./demo-config.ts";
import { connectDemoHub } from "./demo-hub.ts";
import type { HubProcess } from "./hub-process.ts";
import { type SimulatorProcess, startSimulator } from "./simulator-process.ts";
import { type StartedProcess, startProcess } from "./started-process.ts";

/** The customer's five factories; the first is the demo's own. */
export const DEMO_SITES = ["redmond", "dortmund", "suzhou", "pune", "queretaro"] as const;
const MAIN = join(import.meta.dirname, "..", "main.ts");
const DASHBOARD_PORT = 8081;

/** The hub's device of a factory's box. */
export function deviceOf(site: string): string {
  return site === DEMO_SITES[0] ? "demo-box" : `demo-box-${site}`;
}

/** Another factory: its machines and its box, a process each. */
export interface DemoFactory {
  readonly site: string;
  readonly dashboardUrl: string;
  readonly folder: string;
  stop(): Promise<void>;
}

/**
 * Starts a factory beside the demo's own: other seed, other day.
 * @throws EdgeError DRIVER_NOT_CONNECTED with the words of what did not come up
 */
export async function startFactory(
  cli: Cli,
  options: { readonly site: string; readonly at: number; readonly seed: number; readonly folder: string },
  hub: HubProcess | undefined,
): Promise<DemoFactory> {
  const { site, at, seed } = options;
  const folder = join(options.folder, "factories", site);
  mkdirSync(folder, { recursive: true });
  prepareDemoFolder(folder);
  const { nodeArguments, signal } = cli;
  const simulator = await startSimulator({ seed: seed + at, site, folder, nodeArguments, signal });
  try {
    const box = await startBox(cli, site, at, folder, simulator, hub);
    return {
      site,
      folder,
      dashboardUrl: box.addresses.dashboardUrl,
      stop: async () => {
        // The box first, so that it closes its sessions on servers that still answer.
        await box.stop();
        await simulator.stop();
      },
    };
  } catch (error) {
    await simulator.stop();
    throw error;
  }
}

async function startBox(
  cli: Cli,
  site: string,
  at: number,
  folder: string,
  simulator: SimulatorProcess,
  hub: HubProcess | undefined,
): Promise<StartedProcess<{ dashboardUrl: string }>> {
  const port = await freePort(DASHBOARD_PORT + at);
  const uplink = hub && (await connectDemoHub(cli, hub, simulator.addresses.control, folder, deviceOf(site)));
  const config = await writeDemoConfig(folder, simulator.addresses, { site, dashboardPort: port, uplink });
  return startProcess({
    what: `the box of ${site}`,
    code: "DRIVER_NOT_CONNECTED",
    main: MAIN,
    args: ["up", "-c", config, "--json", "--log-level", "warn"],
    nodeArguments: cli.nodeArguments,
    signal: cli.signal,
  });
}
