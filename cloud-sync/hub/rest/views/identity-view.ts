import { HubError } from "../../hub-error.ts";
import type { Authentication, AuthenticationType, JsonMap, RegistryEntry, RegistryWrite } from "../../ports.ts";
import { timeText } from "../../services/time-text.ts";
import type { IdentityBody } from "../schemas/identity.ts";

const TYPES: readonly AuthenticationType[] = ["sas", "selfSigned", "certificateAuthority", "none"];

/** A device as the REST API shows it. */
export function deviceView(entry: RegistryEntry): JsonMap {
  return {
    deviceId: entry.deviceId,
    generationId: entry.generationId,
    etag: entry.etag,
    connectionState: entry.connectionState,
    status: entry.status,
    statusReason: entry.statusReason,
    connectionStateUpdatedTime: timeText(entry.connectionStateUpdatedMs),
    statusUpdatedTime: timeText(entry.statusUpdatedMs),
    lastActivityTime: timeText(entry.lastActivityMs),
    cloudToDeviceMessageCount: entry.cloudToDeviceMessageCount,
    authentication: authenticationView(entry.authentication),
    capabilities: { iotEdge: entry.capabilities.iotEdge },
    ...(entry.deviceScope === null ? {} : { deviceScope: entry.deviceScope }),
    ...(entry.parentScopes.length === 0 ? {} : { parentScopes: entry.parentScopes }),
  };
}

export function moduleView(entry: RegistryEntry): JsonMap {
  return {
    deviceId: entry.deviceId,
    moduleId: entry.moduleId ?? null,
    managedBy: entry.managedBy,
    generationId: entry.generationId,
    etag: entry.etag,
    connectionState: entry.connectionState,
    connectionStateUpdatedTime: timeText(entry.connectionStateUpdatedMs),
    lastActivityTime: timeText(entry.lastActivityMs),
    cloudToDeviceMessageCount: entry.cloudToDeviceMessageCount,
    authentication: authenticationView(entry.authentication),
  };
}

/** @throws HubError ArgumentInvalid */
export function registryWriteOf(body: IdentityBody): RegistryWrite {
  const { status, statusReason, authentication, capabilities, deviceScope, parentScopes, managedBy } = body;
  return {
    ...(status ? { status } : {}),
    ...(statusReason === undefined ? {} : { statusReason }),
    ...(authentication ? { authentication: authenticationOf(authentication) } : {}),
    ...(capabilities?.iotEdge === undefined ? {} : { capabilities: { iotEdge: capabilities.iotEdge } }),
    ...(deviceScope ? { deviceScope } : {}),
    ...(parentScopes ? { parentScopes } : {}),
    ...(managedBy === undefined ? {} : { managedBy }),
  };
}

function authenticationOf(body: NonNullable<IdentityBody["authentication"]>): Authentication {
  const { primaryKey = null, secondaryKey = null } = body.symmetricKey ?? {};
  const { primaryThumbprint = null, secondaryThumbprint = null } = body.x509Thumbprint ?? {};
  const isSelfSigned = primaryThumbprint !== null || secondaryThumbprint !== null;
  const given = body.type ?? (isSelfSigned ? "selfSigned" : "sas");
  const type = TYPES.find((known) => known.toLowerCase() === given.toLowerCase());
  if (type === undefined) throw new HubError("ArgumentInvalid", `no authentication of type "${given}"`);
  return {
    type,
    symmetricKey: { primaryKey, secondaryKey },
    x509Thumbprint: { primaryThumbprint, secondaryThumbprint },
  };
}

function authenticationView({ type, symmetricKey, x509Thumbprint }: Authentication): JsonMap {
  return { symmetricKey: { ...symmetricKey }, x509Thumbprint: { ...x509Thumbprint }, type };
}
