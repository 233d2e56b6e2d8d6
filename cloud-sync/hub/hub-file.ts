import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** In the hub's folder: where it listens (hub.json) and, readable by its owner alone, how to get in (connections.json). */
const ADDRESSES_NAME = "hub.json";
const CONNECTIONS_NAME = "connections.json";

/** Where a running hub listens. */
export interface HubAddresses {
  /** What its clients call it in tokens and user names. */
  readonly hostName: string;
  /** Entity path of the Event Hubs protocol. */
  readonly hubName: string;
  /** mqtts://127.0.0.1:8883 */
  readonly mqtt: string;
  /** https://127.0.0.1:443: REST, and MQTT and AMQP over WebSocket. */
  readonly https: string;
  /** amqps://127.0.0.1:5671; null when it was left out. */
  readonly amqp: string | null;
  /** amqp://127.0.0.1:5672, without TLS, for clients with UseDevelopmentEmulator; null when it was left out. */
  readonly amqpPlain: string | null;
  /** http://127.0.0.1:… or unix:///…: the IoT Edge workload API; null when it was left out. */
  readonly workload: string | null;
  /** File of the certificate that clients must trust (PEM). */
  readonly ca: string;
  /** File of the connection strings. */
  readonly connections: string;
  readonly pid: number;
}

/** Connection strings of a hub. They hold keys. */
export interface HubConnections {
  /** Of each shared access policy: iothubowner, service, device, registryRead, registryReadWrite. */
  readonly policies: Readonly<Record<string, string>>;
  /** Of the Event Hubs endpoint over TLS and without it; null when it does not listen. */
  readonly events: string | null;
  readonly eventsPlain: string | null;
  /** Of the devices that the hub was started with. */
  readonly devices: Readonly<Record<string, string>>;
}

export function connectionsPath(folder: string): string {
  return join(folder, CONNECTIONS_NAME);
}

export function writeHubFiles(folder: string, addresses: HubAddresses, connections: HubConnections): void {
  replace(connectionsPath(folder), connections, 0o600);
  replace(join(folder, ADDRESSES_NAME), addresses, 0o644);
}

/** Of the hub that runs or ran last on this folder; undefined when none ever did. */
export function readHubAddresses(folder: string): HubAddresses | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, ADDRESSES_NAME), "utf8")) as HubAddresses;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export function readHubConnections(path: string): HubConnections {
  return JSON.parse(readFileSync(path, "utf8")) as HubConnections;
}

function replace(path: string, value: unknown, mode: number): void {
  const fresh = `${path}.new`;
  writeFileSync(fresh, `${JSON.stringify(value, null, 2)}\n`, { mode });
  renameSync(fresh, path);
}
