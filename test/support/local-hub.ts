import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { Client, JobClient, Registry } from "azure-iothub";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { type HubConnections, readHubConnections } from "../../cloud-sync/hub/hub-file.ts";
import { type LocalHub, type LocalHubOptions, startLocalHub } from "../../cloud-sync/hub/local-hub.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { tempFolder } from "./temp-folder.ts";

/** A whole hub on free ports, and Microsoft's service clients for it. */
export interface RunningLocalHub {
  readonly local: LocalHub;
  readonly folder: string;
  readonly ca: string;
  readonly connections: HubConnections;
  readonly registry: Registry;
  readonly services: Client;
  readonly jobs: JobClient;
  /** A registry client by another policy. */
  registryAs(policy: string): Registry;
  stop(): Promise<void>;
}

type Sdk = { readonly _restApiClient: { setOptions(options: object): void } };

/** Stopped when the test ends. */
export async function runLocalHub(options: Partial<LocalHubOptions> = {}): Promise<RunningLocalHub> {
  const folder = options.folder ?? tempFolder();
  const local = await startLocalHub({
    hostName: "localhost",
    hubName: "hub",
    host: "127.0.0.1",
    ports: { mqtt: 0, https: 0, amqp: 0, amqpPlain: 0 },
    workload: null,
    deviceIds: [],
    clock: systemClock,
    logger: pino({ level: process.env.TAILSTOCK_TEST_LOG ?? "silent" }),
    ...options,
    folder,
  });
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopped ??= Promise.resolve(local[Symbol.asyncDispose]());
    await stopped;
  };
  onTestFinished(stop);
  const ca = readFileSync(local.addresses.ca, "utf8");
  const connections = readHubConnections(local.addresses.connections);
  const agent = new Agent({ port: Number(new URL(local.addresses.https).port), ca, keepAlive: true });
  onTestFinished(() => agent.destroy());
  // The SDK knows port 443 only; the agent is where another one can be put.
  const here = <T extends object>(client: T): T => {
    (client as unknown as Sdk)._restApiClient.setOptions({ http: { agent } });
    return client;
  };
  const owner = connections.policies.iothubowner ?? "";
  return {
    local,
    folder,
    ca,
    connections,
    registry: here(Registry.fromConnectionString(owner)),
    services: here(Client.fromConnectionString(owner)),
    jobs: here(JobClient.fromConnectionString(owner)),
    registryAs: (policy) => here(Registry.fromConnectionString(connections.policies[policy] ?? "")),
    stop,
  };
}
