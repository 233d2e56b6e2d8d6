import { HubError } from "./hub-error.ts";
import type { Hub, Identity, RegistryEntry, Right } from "./ports.ts";
import { covers, isSignedBy, parseSas } from "./sas.ts";

/** Who was let in, by what, and until when. */
export interface Grant {
  readonly entry: RegistryEntry;
  /** Annotation iothub-connection-auth-method. */
  readonly authMethod: string;
  /** A token's end; undefined for a certificate. */
  readonly expiresMs: number | undefined;
}

/** What a client's TLS connection says about its certificate. */
export interface ClientCertificate {
  /** Hexadecimal without colons, upper case. */
  readonly sha1: string;
  readonly sha256: string;
  readonly commonName: string;
  /** Whether a certificate authority that the hub knows signed it. */
  readonly isTrusted: boolean;
}

/** Lets a device or module in by its token. @throws HubError Unauthorized */
export function authorizeIdentity(hub: Hub, identity: Identity, tokenText: string): Grant {
  const entry = enabledEntry(hub, identity);
  const token = parseSas(tokenText);
  if (token === undefined) throw refusal("that is not a shared access signature");
  const path = [hub.hostName, "devices", identity.deviceId];
  if (identity.moduleId !== undefined) path.push("modules", identity.moduleId);
  if (!covers(token.resource, path.map(encodeURIComponent).join("/"))) {
    throw refusal(`the token is for ${token.resource}`);
  }
  if (token.expiresMs <= hub.clock.nowMs()) throw refusal("the token has expired");
  if (token.policyName === undefined) {
    if (entry.authentication.type !== "sas") throw refusal("the identity proves itself by a certificate");
    const { primaryKey, secondaryKey } = entry.authentication.symmetricKey;
    if (!isSignedBy(token, [primaryKey, secondaryKey])) throw refusal("the signature is wrong");
  } else checkPolicy(hub, token.policyName, "DeviceConnect", (keys) => isSignedBy(token, keys));
  const scope = token.policyName !== undefined ? "hub" : identity.moduleId === undefined ? "device" : "module";
  return { entry, authMethod: methodText(scope, "sas"), expiresMs: token.expiresMs };
}

/** Lets a device or module in by its certificate. @throws HubError Unauthorized */
export function authorizeCertificate(hub: Hub, identity: Identity, certificate: ClientCertificate | undefined): Grant {
  const entry = enabledEntry(hub, identity);
  const { type, x509Thumbprint } = entry.authentication;
  if (certificate === undefined) throw refusal("there is neither a token nor a certificate");
  if (type === "selfSigned") {
    const known = [x509Thumbprint.primaryThumbprint, x509Thumbprint.secondaryThumbprint];
    if (!known.includes(certificate.sha1) && !known.includes(certificate.sha256)) {
      throw refusal("the certificate has another thumbprint");
    }
  } else if (type === "certificateAuthority") {
    if (!certificate.isTrusted) throw refusal("no known authority signed the certificate");
    const { deviceId, moduleId } = identity;
    if (certificate.commonName !== (moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`)) {
      throw refusal(`the certificate is of "${certificate.commonName}"`);
    }
  } else throw refusal("the identity does not prove itself by a certificate");
  const scope = identity.moduleId === undefined ? "device" : "module";
  return {
    entry,
    authMethod: methodText(scope, type === "selfSigned" ? "x509Certificate" : "x509CA"),
    expiresMs: undefined,
  };
}

/**
 * Lets a service in by the token of an access policy.
 * @param path below the host name: "" or "/devices"; a token for something above it will do
 * @returns when the token ends, epoch ms
 * @throws HubError Unauthorized
 */
export function authorizeService(hub: Hub, tokenText: string, right: Right, path = ""): number {
  const token = parseSas(tokenText);
  if (token?.policyName === undefined) throw refusal("that is not a token of an access policy");
  if (!covers(token.resource, `${hub.hostName}${path}`)) throw refusal(`the token is for ${token.resource}`);
  if (token.expiresMs <= hub.clock.nowMs()) throw refusal("the token has expired");
  checkPolicy(hub, token.policyName, right, (keys) => isSignedBy(token, keys));
  return token.expiresMs;
}

function checkPolicy(hub: Hub, name: string, right: Right, isSigned: (keys: readonly string[]) => boolean): void {
  const policy = hub.access.get(name);
  if (policy === undefined) throw refusal(`there is no policy "${name}"`);
  if (!isSigned([policy.primaryKey, policy.secondaryKey])) throw refusal("the signature is wrong");
  if (!policy.rights.includes(right)) throw refusal(`policy "${name}" has no right ${right}`);
}

function enabledEntry(hub: Hub, identity: Identity): RegistryEntry {
  const entry = hub.registry.get(identity);
  if (entry === undefined) throw refusal("the identity is not registered");
  const device = identity.moduleId === undefined ? entry : hub.registry.get({ deviceId: identity.deviceId });
  if (entry.status !== "enabled" || device?.status !== "enabled") throw refusal("the identity is disabled");
  return entry;
}

function methodText(scope: string, type: string): string {
  return JSON.stringify({ scope, type, issuer: type === "sas" ? "iothub" : "external", acceptingIpFilterRule: null });
}

function refusal(message: string): HubError {
  return new HubError("Unauthorized", message);
}
