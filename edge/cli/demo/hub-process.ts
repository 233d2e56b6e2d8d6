import { join } from "node:path";
import { type HubAddresses, type HubConnections, readHubConnections } from "../../../cloud-sync/hub/hub-file.ts";
import { type StartedProcess, startProcess } from "./started-process.ts";

const MAIN = join(import.meta.dirname, "..", "..", "..", "cloud-sync", "hub", "main.ts");

/** Ports of the hub's servers; 0 or undefined is any free one, null leaves the server out. */
export interface HubPorts {
  readonly mqtt?: number;
  readonly https?: number;
  readonly amqp?: number | null;
  readonly amqpPlain?: number | null;
  readonly workload?: number | null;
}

export interface StartHubOptions {
  /** Where it keeps everything; made when it is not there. */
  readonly folder: string;
  readonly ports?: HubPorts;
  /** Devices that are made when they are not there; their connection strings stand in `connectionsOf`. */
  readonly devices?: readonly string[];
  /** Of consumers of events, beside $Default. */
  readonly consumerGroups?: readonly string[];
  /** What it refuses and slows down by; without one it counts only. */
  readonly edition?: "S1" | "S2" | "S3";
  readonly units?: number;
  readonly nodeArguments: readonly string[];
  readonly signal: AbortSignal;
}

/** The local hub as a child process. It ends when this process does, however that dies. */
export type HubProcess = StartedProcess<HubAddresses>;

/**
 * Starts the local hub and waits until its servers listen.
 * @throws EdgeError HUB_UNAVAILABLE with the child's own words when it does not come up
 */
export function startHub(options: StartHubOptions): Promise<HubProcess> {
  const { mqtt = 0, https = 0, amqp = 0, amqpPlain = 0, workload = null } = options.ports ?? {};
  const port = (name: string, value: number | null): string[] => [
    `--port-${name}`,
    value === null ? "off" : `${value}`,
  ];
  return startProcess({
    what: "the local hub",
    code: "HUB_UNAVAILABLE",
    main: MAIN,
    args: [
      ...["--folder", options.folder],
      ...port("mqtt", mqtt),
      ...port("https", https),
      ...port("amqp", amqp),
      ...port("amqp-plain", amqpPlain),
      ...port("workload", workload),
      ...(options.devices ?? []).flatMap((id) => ["--device", id]),
      ...(options.consumerGroups ?? []).flatMap((name) => ["--consumer-group", name]),
      ...(options.edition === undefined ? [] : ["--edition", options.edition]),
      ...(options.units === undefined ? [] : ["--units", String(options.units)]),
    ],
    nodeArguments: options.nodeArguments,
    signal: options.signal,
  });
}

/** The connection strings of a hub that runs: of its policies, its events, and the devices it was started with. */
export function connectionsOf(hub: HubProcess): HubConnections {
  return readHubConnections(hub.addresses.connections);
}
