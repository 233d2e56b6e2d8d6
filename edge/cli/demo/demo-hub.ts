import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { EdgeError, messageOf } from "../../kernel/errors.ts";
import { layLine } from "../../simulator/control-client.ts";
import type { Cli } from "../cli.ts";
import { connectionsOf, type HubProcess, startHub } from "./hub-process.ts";

const DEVICE = "demo-box";
const FOLDER = "hub";
const CONNECTION_NAME = "uplink.connection";

/** The local hub of a demo. */
export interface DemoHub {
  readonly process: HubProcess;
  /** How to get in as a service: file of its connection strings. */
  readonly connections: string;
}

/**
 * Starts the hub that the demo's box forwards to. The factory never waits for the cloud: when the hub does not start, the
 * demo says why and goes on without.
 */
export async function startDemoHub(cli: Cli, folder: string): Promise<DemoHub | undefined> {
  const hubFolder = join(folder, FOLDER);
  try {
    mkdirSync(hubFolder, { recursive: true });
    const process = await startHub({
      folder: hubFolder,
      devices: [DEVICE],
      nodeArguments: cli.nodeArguments,
      signal: cli.signal,
    });
    return { process, connections: process.addresses.connections };
  } catch (error) {
    if (!cli.signal.aborted) {
      const hint = error instanceof EdgeError && error.hint !== undefined ? ` ${error.hint}` : "";
      cli.output.note(`the local hub did not start (${messageOf(error)}); the demo goes on without it.${hint}`);
    }
    return undefined;
  }
}

/**
 * Lays the line that `tailstock demo line` cuts between the box and its hub, and writes the files that `uplink:` names.
 * @param controlUrl of the simulator, in whose process the line is
 * @throws EdgeError DRIVER_NOT_CONNECTED, USAGE
 */
export async function connectDemoHub(
  hub: DemoHub,
  controlUrl: string,
  folder: string,
): Promise<{ connectionStringFile: string; ca: string }> {
  const { mqtt, ca } = hub.process.addresses;
  const line = await layLine(controlUrl, Number(new URL(mqtt).port));
  const connectionString = connectionsOf(hub.process).devices[DEVICE];
  if (connectionString === undefined) throw new EdgeError("HUB_UNAVAILABLE", "the hub has made no device for the demo");
  const path = join(folder, CONNECTION_NAME);
  writeFileSync(path, `${throughLine(connectionString, line.port)}\n`, { mode: 0o600 });
  return { connectionStringFile: CONNECTION_NAME, ca: relative(folder, ca) };
}

/** The same identity at the same hub, by way of another port of this computer. */
function throughLine(connectionString: string, port: number): string {
  const fields = connectionString.split(";").filter((field) => !/^GatewayHostName=/i.test(field));
  return [...fields, `GatewayHostName=localhost:${port}`].join(";");
}
