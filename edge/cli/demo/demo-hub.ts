import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { EdgeError, messageOf } from "../../kernel/errors.ts";
import { layLine } from "../../simulator/control-client.ts";
import type { Cli } from "../cli.ts";
import { connectionsOf, type HubProcess, startHub } from "./hub-process.ts";

const FOLDER = "hub";
const CONNECTION_NAME = "uplink.connection";

/**
 * Starts the hub that the demo's box forwards to. The factory never waits for the cloud: when the hub does not start, the
 * demo says why and goes on without.
 */
export async function startDemoHub(
  cli: Cli,
  folder: string,
  { devices, consumerGroups }: { devices: readonly string[]; consumerGroups: readonly string[] },
): Promise<HubProcess | undefined> {
  const hubFolder = join(folder, FOLDER);
  return orWithout(cli, "start", async () => {
    mkdirSync(hubFolder, { recursive: true });
    const { nodeArguments, signal } = cli;
    return startHub({ folder: hubFolder, devices, consumerGroups, nodeArguments, signal });
  });
}

/**
 * Lays the line that `tailstock demo line` cuts between the box and its hub, and writes the files that `uplink:` names.
 * @param controlUrl of the simulator, in whose process the line is
 */
export async function connectDemoHub(
  cli: Cli,
  hub: HubProcess,
  controlUrl: string,
  folder: string,
  device: string,
): Promise<{ connectionStringFile: string; ca: string } | undefined> {
  return orWithout(cli, "get its line", async () => {
    const { mqtt, ca } = hub.addresses;
    const line = await layLine(controlUrl, Number(new URL(mqtt).port));
    const connectionString = connectionsOf(hub).devices[device];
    if (connectionString === undefined) throw new EdgeError("HUB_UNAVAILABLE", "it has made no device for the demo");
    const path = join(folder, CONNECTION_NAME);
    writeFileSync(path, `${throughLine(connectionString, line.port)}\n`, { mode: 0o600 });
    return { connectionStringFile: CONNECTION_NAME, ca: relative(folder, ca) };
  });
}

async function orWithout<T>(cli: Cli, what: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (cli.signal.aborted) return undefined;
    const hint = error instanceof EdgeError && error.hint !== undefined ? ` ${error.hint}` : "";
    cli.output.note(`the local hub did not ${what} (${messageOf(error)}); the demo goes on without it.${hint}`);
    return undefined;
  }
}

/** The same identity at the same hub, by way of another port of this computer. */
function throughLine(connectionString: string, port: number): string {
  const fields = connectionString.split(";").filter((field) => !/^GatewayHostName=/i.test(field));
  return [...fields, `GatewayHostName=localhost:${port}`].join(";");
}
