import { isDeviceId, isHostName, parseConnectionString } from "./connection-string.ts";
import { DEFAULTS } from "./defaults.ts";
import { UPLINK_COMMANDS, type UplinkConfig, type UplinkIdentity } from "./model.ts";
import { type ConfigPath, type Findings, shown } from "./problem.ts";
import type { SecretFiles } from "./secret-files.ts";
import type { UplinkFile } from "./uplink-schema.ts";

const PATH = ["uplink"] as const satisfies ConfigPath;
const IDENTITY_HINT = "write connectionStringFile, or host, device, certificate and privateKey, or identity: iot-edge";
const CERTIFICATE_KEYS = ["host", "device", "certificate", "privateKey"] as const;
const WAYS = [
  { name: "connectionStringFile", keys: ["connectionStringFile"] },
  { name: "certificate", keys: CERTIFICATE_KEYS },
  { name: "identity: iot-edge", keys: ["identity"] },
] as const;

/** The uplink of a file; undefined when it cannot be used, and then a problem says why. */
export function buildUplink(file: UplinkFile, findings: Findings, secrets: SecretFiles): UplinkConfig | undefined {
  const identity = identityOf(file, findings, secrets);
  const caPath = file.ca === undefined ? undefined : secrets.certificates(file.ca, [...PATH, "ca"]);
  if (file.ca !== undefined && file.identity !== undefined) {
    findings.problem(
      [...PATH, "ca"],
      "'ca' is not used with identity: iot-edge, for the runtime hands out its own",
      "remove the key",
      "key",
    );
  }
  const latencyMs = file.latencyMs ?? DEFAULTS.uplink.latencyMs;
  const latencyMsMax = file.latencyMsMax ?? Math.max(DEFAULTS.uplink.latencyMsMax, latencyMs);
  if (latencyMsMax < latencyMs) {
    findings.problem(
      [...PATH, "latencyMsMax"],
      `latencyMsMax is ${latencyMsMax}, less than latencyMs (${latencyMs})`,
      "raise latencyMsMax, or lower latencyMs",
    );
  }
  if (identity === undefined) return undefined;
  return {
    identity,
    caPath,
    transport: file.transport ?? DEFAULTS.uplink.transport,
    latencyMs,
    latencyMsMax,
    bytesPerSecondMax: file.bytesPerSecondMax,
    unitsPerDayMax: file.unitsPerDayMax,
    windowMessages: file.windowMessages ?? DEFAULTS.uplink.windowMessages,
    sendTimeoutMs: file.sendTimeoutMs ?? DEFAULTS.uplink.sendTimeoutMs,
    allow: allowed(file.allow ?? DEFAULTS.uplink.allow),
  };
}

/** In the order of UPLINK_COMMANDS and each once, so that another order is no change. */
function allowed(names: readonly string[]): UplinkConfig["allow"] {
  return UPLINK_COMMANDS.filter((command) => names.includes(command));
}

function identityOf(file: UplinkFile, findings: Findings, secrets: SecretFiles): UplinkIdentity | undefined {
  const ways = WAYS.filter(({ keys }) => keys.some((key) => file[key] !== undefined));
  const [way, other] = ways;
  if (way === undefined) {
    findings.problem(PATH, "the uplink has no identity", IDENTITY_HINT, "key");
    return undefined;
  }
  if (other !== undefined) {
    const both = `the uplink has both ${way.name} and ${other.name}; expected one of them`;
    findings.problem(PATH, both, IDENTITY_HINT, "key");
    return undefined;
  }
  if (file.identity !== undefined) return { kind: "iot-edge" };
  if (file.connectionStringFile !== undefined) return byKey(file.connectionStringFile, findings, secrets);
  return byCertificate(file, findings, secrets);
}

function byKey(name: string, findings: Findings, secrets: SecretFiles): UplinkIdentity | undefined {
  const at = [...PATH, "connectionStringFile"];
  // Refused before it can stand in a message as the name of a file.
  if (/(SharedAccess(Key|Signature)|HostName)\s*=/i.test(name)) {
    findings.problem(
      at,
      "this is a connection string, not the name of a file",
      "it holds a key: write it to a file of its own, and the file's name here; a key that was stored or sent with this file should be renewed at the hub",
    );
    return undefined;
  }
  const text = secrets.line(name, at, "connection string");
  if (text === undefined) return undefined;
  const parsed = parseConnectionString(text);
  if ("hint" in parsed) {
    findings.problem(at, `file '${name}' holds no connection string of a device: ${parsed.message}`, parsed.hint);
    return undefined;
  }
  const connectionStringPath = secrets.existing(name, at);
  return connectionStringPath === undefined ? undefined : { kind: "connection-string", connectionStringPath };
}

function byCertificate(file: UplinkFile, findings: Findings, secrets: SecretFiles): UplinkIdentity | undefined {
  const { host, device, certificate, privateKey } = file;
  const missing = CERTIFICATE_KEYS.filter((key) => file[key] === undefined);
  if (missing.length > 0) {
    const message = `the uplink has a certificate for its identity, but no ${missing.join(", no ")}`;
    findings.problem(PATH, message, IDENTITY_HINT, "key");
  }
  if (host !== undefined && !isHostName(host)) {
    findings.problem(
      [...PATH, "host"],
      `${shown(host)} is not a host name`,
      "write the hub's name alone, such as hub.azure-devices.net, with :port where it is not 8883",
    );
  }
  if (device !== undefined && !isDeviceId(device)) {
    findings.problem(
      [...PATH, "device"],
      `${shown(device)} is not a device id`,
      "copy the device id from the hub: letters, digits and - . % _ # * ? ! ( ) , : = @ $ '",
    );
  }
  const pair =
    certificate === undefined || privateKey === undefined
      ? undefined
      : secrets.keyPair(certificate, [...PATH, "certificate"], privateKey, [...PATH, "privateKey"]);
  if (host === undefined || device === undefined || pair === undefined) return undefined;
  return { kind: "x509", hostName: host, deviceId: device, ...pair };
}
