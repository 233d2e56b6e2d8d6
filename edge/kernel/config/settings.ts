import type { Address } from "./address.ts";
import { DEFAULTS } from "./defaults.ts";
import type { ModbusConnection, OpcuaConnection, OpcuaIdentity, OpcuaSecurity } from "./model.ts";
import type { ConfigPath, Findings } from "./problem.ts";
import type { IdentityFile, SecurityFile, SettingKeys } from "./schema.ts";
import type { SecretFiles } from "./secret-files.ts";

/** A connection without its machines and its id. */
export type Settings = Omit<OpcuaConnection, "id" | "machines"> | Omit<ModbusConnection, "id" | "machines">;

export const OPCUA_SETTINGS = [
  "security",
  "identity",
  "publishingIntervalMs",
  "connectTimeoutMs",
  "requestTimeoutMs",
  "staleAfterMs",
] as const satisfies readonly (keyof SettingKeys)[];
export const MODBUS_SETTINGS = [
  "timeoutMs",
  "retries",
  "pauseMs",
  "breaker",
] as const satisfies readonly (keyof SettingKeys)[];

/** The settings of one end of a line, with defaults; keys of the other protocol are reported. */
export function buildSettings(
  address: Address,
  keys: SettingKeys,
  path: ConfigPath,
  findings: Findings,
  secrets: SecretFiles,
): Settings {
  const isOpcua = address.protocol === "opcua";
  for (const key of isOpcua ? MODBUS_SETTINGS : OPCUA_SETTINGS) {
    if (keys[key] === undefined) continue;
    findings.problem(
      [...path, key],
      `'${key}' is a setting of ${isOpcua ? "Modbus" : "OPC UA"} connections, but ${address.key} speaks ${isOpcua ? "OPC UA" : "Modbus"}`,
      "remove the key, or check the address",
      "key",
    );
  }
  if (address.protocol === "opcua") {
    const { opcuaConnection: defaults } = DEFAULTS;
    return {
      protocol: "opcua",
      endpointUrl: address.endpointUrl,
      security: securityOf(keys.security, [...path, "security"], findings),
      identity: identityOf(keys.identity, [...path, "identity"], findings, secrets),
      publishingIntervalMs: keys.publishingIntervalMs ?? defaults.publishingIntervalMs,
      connectTimeoutMs: keys.connectTimeoutMs ?? defaults.connectTimeoutMs,
      requestTimeoutMs: keys.requestTimeoutMs ?? defaults.requestTimeoutMs,
      staleAfterMs: keys.staleAfterMs ?? defaults.staleAfterMs,
    };
  }
  const { modbusConnection: defaults } = DEFAULTS;
  return {
    protocol: "modbus",
    transport: address.transport,
    timeoutMs: keys.timeoutMs ?? defaults.timeoutMs,
    retries: keys.retries ?? defaults.retries,
    pauseMs: keys.pauseMs ?? defaults.pauseMs,
    breakerFailures: keys.breaker?.failures ?? defaults.breakerFailures,
    breakerOpenMs: keys.breaker?.openMs ?? defaults.breakerOpenMs,
  };
}

/** Without security there is no certificate to trust, so `trust` becomes any unless it is written. */
function securityOf(security: SecurityFile | undefined, path: ConfigPath, findings: Findings): OpcuaSecurity {
  const { mode, policy, trust } = DEFAULTS.opcuaConnection;
  if (security === undefined) return { mode, policy, trust };
  if (typeof security === "string") return { mode: "none", policy: "None", trust: "any" };
  const chosenMode = security.mode ?? (security.policy === "None" ? "none" : mode);
  const chosenPolicy = security.policy ?? policy;
  if (chosenMode === "none" && chosenPolicy !== "None" && chosenPolicy !== "auto") {
    findings.problem(
      [...path, "policy"],
      `policy ${chosenPolicy} does not go with mode none`,
      "remove policy, or choose mode sign or sign-and-encrypt",
    );
  }
  if (chosenMode !== "none" && chosenPolicy === "None") {
    findings.problem(
      [...path, "policy"],
      `policy None does not go with mode ${chosenMode}`,
      "write security: none, or choose a policy such as Basic256Sha256",
    );
  }
  if (chosenMode === "none") return { mode: "none", policy: "None", trust: security.trust ?? "any" };
  return { mode: chosenMode, policy: chosenPolicy, trust: security.trust ?? trust };
}

function identityOf(
  identity: IdentityFile | undefined,
  path: ConfigPath,
  findings: Findings,
  secrets: SecretFiles,
): OpcuaIdentity {
  const anonymous = { kind: "anonymous" } as const;
  if (identity === undefined || typeof identity === "string") return anonymous;
  const { username, passwordFile, certificate, privateKey } = identity;
  const byPassword = username !== undefined || passwordFile !== undefined;
  const byCertificate = certificate !== undefined || privateKey !== undefined;
  const hint = "write {username, passwordFile}, {certificate, privateKey} or anonymous";
  if (byPassword === byCertificate) {
    findings.problem(
      path,
      byPassword ? "the identity has both a user name and a certificate; expected one" : "the identity is empty",
      hint,
      "key",
    );
    return anonymous;
  }
  if (byPassword) {
    if (username === undefined || passwordFile === undefined) {
      findings.problem(
        path,
        `the identity has no ${username === undefined ? "username" : "passwordFile"}`,
        hint,
        "key",
      );
      return anonymous;
    }
    const password = secrets.password(passwordFile, [...path, "passwordFile"]);
    return password === undefined ? anonymous : { kind: "user", username, password };
  }
  if (certificate === undefined || privateKey === undefined) {
    findings.problem(
      path,
      `the identity has no ${certificate === undefined ? "certificate" : "privateKey"}`,
      hint,
      "key",
    );
    return anonymous;
  }
  const certificatePath = secrets.existing(certificate, [...path, "certificate"]);
  const privateKeyPath = secrets.existing(privateKey, [...path, "privateKey"]);
  if (certificatePath === undefined || privateKeyPath === undefined) return anonymous;
  return { kind: "certificate", certificatePath, privateKeyPath };
}
