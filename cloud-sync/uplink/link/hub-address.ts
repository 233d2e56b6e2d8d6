import { readFileSync } from "node:fs";
import { type ConnectionString, parseConnectionString } from "../../../edge/kernel/config/connection-string.ts";
import type { UplinkConfig } from "../../../edge/kernel/config/model.ts";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";

/** Who this box is at which hub, as the files and the environment say it at the moment of a connection. */
export interface HubAddress {
  /** Where the connection goes to. */
  readonly host: string;
  readonly port: number;
  /** The hub's own name, which differs from `host` behind a gateway. */
  readonly hubName: string;
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  readonly proof: "key" | "certificate" | "IoT Edge runtime";
  /** What the SDK is made with; undefined when the IoT Edge runtime provides it. */
  readonly connectionString: string | undefined;
  /** PEM, for a box that is known by its certificate. */
  readonly x509: { readonly cert: string; readonly key: string } | undefined;
  /** PEM text and file of the authorities that prove the hub; undefined: those of Node, or of the IoT Edge runtime. */
  readonly ca: { readonly path: string; readonly pem: string } | undefined;
}

const PORT_BY_TRANSPORT = { mqtt: 8883, "mqtt-ws": 443 } as const;

/** The variables of the IoT Edge runtime; only a main reads the environment, so it is handed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the files anew each time, so that a renewed key or certificate holds from the next connection on. @throws EdgeError UPLINK_CONFIG */
export function readHubAddress(config: UplinkConfig, environment: Environment): HubAddress {
  const { identity, caPath } = config;
  const ca = caPath === undefined ? undefined : { path: caPath, pem: readText(caPath, "uplink.ca") };
  const standardPort = PORT_BY_TRANSPORT[config.transport];
  if (identity.kind === "connection-string") {
    const text = readText(identity.connectionStringPath, "uplink.connectionStringFile").trim();
    const parsed = parseConnectionString(text);
    if ("hint" in parsed) {
      throw new EdgeError(
        "UPLINK_CONFIG",
        `The file '${identity.connectionStringPath}' holds no connection string of a device: ${parsed.message}`,
        { hint: parsed.hint },
      );
    }
    return { ...addressOf(parsed, standardPort), proof: "key", connectionString: text, x509: undefined, ca };
  }
  if (identity.kind === "x509") {
    const { hostName, deviceId } = identity;
    const cert = readText(identity.certificatePath, "uplink.certificate");
    const key = readText(identity.privateKeyPath, "uplink.privateKey");
    const parts = { hostName, deviceId, moduleId: undefined, gatewayHostName: undefined };
    const connectionString = `HostName=${hostName};DeviceId=${deviceId};x509=true`;
    return { ...addressOf(parts, standardPort), proof: "certificate", connectionString, x509: { cert, key }, ca };
  }
  return {
    ...edgeAddress(environment, standardPort),
    proof: "IoT Edge runtime",
    connectionString: undefined,
    x509: undefined,
    ca,
  };
}

/** "hub.azure-devices.net as device box-7 (key)" */
export function describeAddress({ host, hubName, deviceId, moduleId, proof }: HubAddress): string {
  const who = moduleId === undefined ? `device ${deviceId}` : `module ${deviceId}/${moduleId}`;
  return `${hubName}${host === hubName ? "" : ` by way of ${host}`} as ${who} (${proof})`;
}

function addressOf(
  { hostName, gatewayHostName, deviceId, moduleId }: Omit<ConnectionString, "sharedAccessKey">,
  standardPort: number,
) {
  const { host, port } = splitPort(gatewayHostName ?? hostName, standardPort);
  return { host, port, hubName: splitPort(hostName, standardPort).host, deviceId, moduleId };
}

function splitPort(name: string, standardPort: number): { host: string; port: number } {
  const match = /^(.*):(\d+)$/.exec(name);
  return match === null ? { host: name, port: standardPort } : { host: match[1] ?? "", port: Number(match[2]) };
}

function edgeAddress(environment: Environment, standardPort: number) {
  const text = environment.EdgeHubConnectionString ?? environment.IotHubConnectionString;
  if (text !== undefined) {
    const parsed = parseConnectionString(text);
    if (!("hint" in parsed) && parsed.moduleId !== undefined) return addressOf(parsed, standardPort);
    throw new EdgeError(
      "UPLINK_CONFIG",
      `The environment variable EdgeHubConnectionString holds no connection string of a module: ${"hint" in parsed ? parsed.message : "it has no ModuleId"}`,
      { hint: "it is set by the development tools of IoT Edge; in a deployed module it is left out" },
    );
  }
  const hostName = environment.IOTEDGE_IOTHUBHOSTNAME;
  const deviceId = environment.IOTEDGE_DEVICEID;
  const moduleId = environment.IOTEDGE_MODULEID;
  if (hostName === undefined || deviceId === undefined || moduleId === undefined) {
    throw new EdgeError(
      "UPLINK_CONFIG",
      "uplink.identity is iot-edge, but the environment variables of the IoT Edge runtime (IOTEDGE_IOTHUBHOSTNAME and others) are missing",
      { hint: "run this as an IoT Edge module, or give uplink.connectionStringFile" },
    );
  }
  return addressOf(
    { hostName, deviceId, moduleId, gatewayHostName: environment.IOTEDGE_GATEWAYHOSTNAME },
    standardPort,
  );
}

function readText(path: string, key: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new EdgeError("UPLINK_CONFIG", `The file '${path}' of ${key} can't be read: ${messageOf(error)}`, {
      cause: error,
      hint: "check that the file is there and that the user who runs this may read it",
    });
  }
}
