import type { JsonMap, RegistryEntry, Twin, TwinSection } from "../ports.ts";
import { timeText } from "./time-text.ts";

const YEAR_ONE = "0001-01-01T00:00:00Z";

/** A twin as the REST API shows it and as queries see it. @param configurations statuses of configurations by their id */
export function twinDocument(twin: Twin, entry: RegistryEntry, configurations: JsonMap = {}): JsonMap {
  const { primaryThumbprint, secondaryThumbprint } = entry.authentication.x509Thumbprint;
  return {
    deviceId: twin.deviceId,
    ...(twin.moduleId === undefined ? {} : { moduleId: twin.moduleId }),
    etag: twin.etag,
    deviceEtag: entry.etag,
    status: entry.status,
    ...(entry.statusReason === null ? {} : { statusReason: entry.statusReason }),
    statusUpdateTime: timeText(entry.statusUpdatedMs),
    connectionState: entry.connectionState,
    lastActivityTime: timeText(entry.lastActivityMs),
    cloudToDeviceMessageCount: entry.cloudToDeviceMessageCount,
    authenticationType: entry.authentication.type,
    x509Thumbprint: { primaryThumbprint, secondaryThumbprint },
    modelId: "",
    version: twin.version,
    tags: twin.tags,
    properties: { desired: sectionDocument(twin.desired), reported: sectionDocument(twin.reported) },
    capabilities: { iotEdge: entry.capabilities.iotEdge },
    ...(entry.deviceScope === null ? {} : { deviceScope: entry.deviceScope }),
    ...(entry.parentScopes.length === 0 ? {} : { parentScopes: entry.parentScopes }),
    ...(Object.keys(configurations).length === 0 ? {} : { configurations }),
  };
}

function sectionDocument({ values, metadata, version }: TwinSection): JsonMap {
  return {
    ...values,
    $metadata: Object.keys(metadata).length === 0 ? { $lastUpdated: YEAR_ONE } : metadata,
    $version: version,
  };
}
