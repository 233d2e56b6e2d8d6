import type { Cli } from "../cli.ts";
import { type CloudProcess, firstAccountOf } from "./demo-cloud.ts";
import type { DemoFactory } from "./demo-factories.ts";
import type { HubProcess } from "./hub-process.ts";
import type { SimulatorAddresses } from "./simulator-process.ts";

export interface RunningDemo {
  readonly dashboardUrl: string | null;
  readonly folder: string;
  readonly configPath: string;
  readonly simulator: SimulatorAddresses;
  readonly hub: HubProcess | undefined;
  readonly cloud: CloudProcess | undefined;
  readonly others: readonly DemoFactory[];
}

/** Tells what runs and where: for people, or as one line of JSON. */
export function announce(cli: Cli, demo: RunningDemo): Promise<void> {
  const { dashboardUrl, folder, configPath, simulator, others } = demo;
  const { opcua, modbus, control } = simulator;
  const hub = hubFacts(demo.hub);
  const office = demo.cloud?.addresses.office ?? null;
  if (cli.output.json) {
    const factories = others.map(({ site, dashboardUrl: url }) => ({ site, dashboardUrl: url }));
    const facts = { dashboardUrl, folder, configPath, opcua, modbus, control, hub, office, factories };
    return cli.output.jsonLine({ ready: true, pid: process.pid, ...facts });
  }
  const account = demo.cloud && firstAccountOf(demo.cloud);
  return cli.output.lines([
    "",
    `  Dashboard       ${dashboardUrl ?? "none"}`,
    ...others.map(({ site, dashboardUrl: url }) => `                  ${url} (${site})`),
    ...(office === null ? [] : [`  Central office  ${office}`]),
    ...(account === undefined ? [] : [`                  ${account}`]),
    "",
    `  OPC UA server   ${opcua}`,
    `  Modbus server   ${modbus}`,
    ...(hub === null
      ? []
      : [
          `  Local hub       ${hub.mqtt} (devices)`,
          `                  ${hub.https} (services)`,
          ...(hub.amqp === null ? [] : [`                  ${hub.amqp} (events)`]),
          `                  connection strings in ${hub.connections}`,
        ]),
    `  Configuration   ${configPath}`,
    "",
    "  In another terminal, in this folder:",
    "    npx tailstock status",
    "    npx tailstock tail mill-01 --signal spindleSpeed",
    "    npx tailstock demo inject spike mill-01 --for 60s",
    ...(hub === null ? [] : ["    npx tailstock demo line cut --for 2m", "    npx tailstock hub tail"]),
    ...(office === null ? [] : ["    npx tailstock cloud status"]),
    "",
    "  Ctrl-C ends everything.",
    "",
  ]);
}

function hubFacts(hub: HubProcess | undefined) {
  if (!hub) return null;
  const { mqtt, https, amqp, ca, connections } = hub.addresses;
  return { mqtt, https, amqp, ca, connections };
}
