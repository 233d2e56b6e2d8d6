import { HubError } from "../hub-error.ts";
import { keyOf } from "../identity.ts";
import type { Hub, Identity, JsonMap, RegistryEntry } from "../ports.ts";
import type { Query } from "../query/query.ts";
import type { DocumentSource, QueryDocument } from "../query/run-query.ts";
import { twinDocument } from "./twin-document.ts";

/** So many entries of the registry are in memory at once while a query runs. */
const PAGE_DEVICES = 200;

/** What queries, target conditions and jobs select from. */
export interface Documents {
  of(source: Query["source"]): DocumentSource;
  /** @throws HubError DeviceNotFound, ModuleNotFound */
  twin(identity: Identity): JsonMap;
}

export interface DocumentDeps {
  readonly hub: Pick<Hub, "registry" | "twins">;
  /** Statuses of configurations on a twin, by configuration id. */
  readonly configurationsOf: (identity: Identity) => JsonMap;
  /** Rows of devices.jobs, in the order of their keys. */
  readonly jobDocuments: DocumentSource;
}

export function createDocuments({ hub, configurationsOf, jobDocuments }: DocumentDeps): Documents {
  const { registry, twins } = hub;
  const documentOf = (entry: RegistryEntry): QueryDocument[] => {
    const identity = identityOf(entry);
    try {
      const document = twinDocument(twins.get(identity), entry, configurationsOf(identity));
      return [{ key: keyOf(identity), document }];
    } catch (error) {
      // Removed since the page of the registry was read.
      if (error instanceof HubError && error.status === 404) return [];
      throw error;
    }
  };
  function* devices(after: string | undefined): Iterable<QueryDocument> {
    for (const entry of entries(registry, after)) yield* documentOf(entry);
  }
  function* modules(after: string | undefined): Iterable<QueryDocument> {
    const [deviceId, moduleId] = after?.split("/") ?? [];
    if (deviceId !== undefined) yield* modulesOf(deviceId, moduleId);
    for (const entry of entries(registry, deviceId)) yield* modulesOf(entry.deviceId);
  }
  function* modulesOf(deviceId: string, afterModuleId = ""): Iterable<QueryDocument> {
    for (const entry of registry.modules(deviceId)) {
      if ((entry.moduleId ?? "") > afterModuleId) yield* documentOf(entry);
    }
  }
  const sources: Readonly<Record<Query["source"], DocumentSource>> = {
    devices,
    "devices.modules": modules,
    "devices.jobs": jobDocuments,
  };
  return {
    of: (source) => sources[source],
    twin(identity) {
      const twin = twins.get(identity);
      const entry = registry.get(identity);
      if (entry === undefined) throw new HubError("DeviceNotFound", `${keyOf(identity)} is not registered`);
      return twinDocument(twin, entry, configurationsOf(identity));
    },
  };
}

/** All devices in the order of their ids, a page at a time. */
function* entries(registry: Hub["registry"], after: string | undefined): Iterable<RegistryEntry> {
  let last = after;
  for (;;) {
    const page = registry.devices(PAGE_DEVICES, last);
    yield* page;
    if (page.length < PAGE_DEVICES) return;
    last = page.at(-1)?.deviceId;
  }
}

export function identityOf({ deviceId, moduleId }: Identity): Identity {
  return { deviceId, ...(moduleId === undefined ? {} : { moduleId }) };
}
