import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { EdgeError, messageOf } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { CLOUD_CONFIG_NAME, demoCloudFolder } from "../cloud/with-cloud.ts";
import { freePort } from "./demo-config.ts";
import { connectionsOf, type HubProcess } from "./hub-process.ts";
import { type StartedProcess, startProcess } from "./started-process.ts";

const MAIN = join(import.meta.dirname, "..", "..", "..", "cloud-sync", "runtime", "main.ts");
/** Consumer group of the demo's hub that the cloud side has for itself. */
export const CLOUD_CONSUMER_GROUP = "tailstock";
const OFFICE_PORT = 8090;

export interface CloudAddresses {
  /** http://… of the central office's page. */
  readonly office: string;
  /** File with the name and password of the account that was made at the first start. */
  readonly account: string | null;
  readonly pid: number;
}

/** The cloud side as a child process, with its own PostgreSQL. It ends when this process does, however that dies. */
export type CloudProcess = StartedProcess<CloudAddresses>;

/**
 * Starts the cloud side beside the demo's hub. The factory never waits for it: when it does not start, the demo says why and goes on
 * without.
 */
export async function startDemoCloud(
  cli: Cli,
  hub: HubProcess,
  folder: string,
  wantedPort: number | undefined,
): Promise<CloudProcess | undefined> {
  const own = demoCloudFolder(folder);
  try {
    const config = await writeCloudConfig(own, hub, await freePort(wantedPort ?? OFFICE_PORT));
    return await startProcess<CloudAddresses>({
      what: "the cloud side",
      code: "DATABASE_UNAVAILABLE",
      main: MAIN,
      args: ["--config", config, "--seed-metadata"],
      nodeArguments: cli.nodeArguments,
      signal: cli.signal,
    });
  } catch (error) {
    if (cli.signal.aborted) return undefined;
    const hint = error instanceof EdgeError && error.hint !== undefined ? ` ${error.hint}` : "";
    cli.output.note(`the cloud side did not start (${messageOf(error)}); the demo goes on without it.${hint}`);
    return undefined;
  }
}

async function writeCloudConfig(folder: string, hub: HubProcess, port: number): Promise<string> {
  const secrets = join(folder, "secrets");
  mkdirSync(secrets, { recursive: true });
  const { eventsPlain, policies } = connectionsOf(hub);
  const secret = (name: string, text: string): void => writeFileSync(join(secrets, name), `${text}\n`, { mode: 0o600 });
  if (eventsPlain === null) throw new EdgeError("HUB_UNAVAILABLE", "the demo's hub has no port for events");
  secret("events", eventsPlain);
  const service = throughPort(policies.service ?? "", hub.addresses.https);
  secret("service", service);
  const path = join(folder, CLOUD_CONFIG_NAME);
  writeFileSync(
    path,
    `# Written by \`tailstock demo\` at each of its starts.
company: Wide World Importers
hub: { eventsFile: secrets/events, consumerGroup: ${CLOUD_CONSUMER_GROUP}, serviceFile: secrets/service, ca: ${JSON.stringify(relative(folder, hub.addresses.ca))} }
database: { embedded: postgres }
lake: { folder: lake, flushSeconds: 60 }
scoring: {}
office: { port: ${port} }
`,
  );
  return path;
}

/** The service's connection string, whose host name is given the port that the demo's hub has. */
function throughPort(connectionString: string, https: string): string {
  return connectionString.replace(/^HostName=[^;:]+/, (host) => `${host}:${new URL(https).port}`);
}

/** Name and password of the account that a first start has made; undefined when it was changed since. */
export function firstAccountOf({ addresses }: CloudProcess): string | undefined {
  const { account } = addresses;
  return account !== null && existsSync(account) ? readFileSync(account, "utf8").trim() : undefined;
}
