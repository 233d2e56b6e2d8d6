import { randomBytes, randomInt } from "node:crypto";
import type Database from "better-sqlite3";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { HubError } from "../hub-error.ts";
import { checkIdentity, keyOf, notFound } from "../identity.ts";
import type { Authentication, Identity, Registry, RegistryEntry, RegistryWrite } from "../ports.ts";
import { authenticationOf } from "./authentication.ts";
import { checkEtag } from "./etag.ts";
import { IdentityTable, type StoredEntry } from "./identity-table.ts";
import type { SqliteTwins } from "./twins.ts";

/** IoT Hub's own limits: modules of a device, devices of a hub. */
const MODULES_MAX = 50;
const DEVICES_MAX = 1_000_000;
/** ms-azure-iot-edge://DEVICE-GENERATION */
const SCOPE = /^ms-azure-iot-edge:\/\/(.+)-\d+$/;
/** Every edge device has these, made with it. */
const EDGE_MODULES = ["$edgeAgent", "$edgeHub"];
/** 0001-01-01T00:00:00Z, which IoT Hub shows for "never". */
const YEAR_ONE_MS = -62_135_596_800_000;

export interface RegistryDeps {
  readonly database: Database.Database;
  readonly twins: SqliteTwins;
  readonly clock: Clock;
  readonly isConnected: (identity: Identity) => boolean;
  readonly connectedDevices: () => number;
  readonly commandsOf: (deviceId: string) => number;
  /** Called within the transaction that removes a device: what hangs on it goes with it. */
  readonly onRemoving: (deviceId: string) => void;
}

interface Activity {
  readonly identity: Identity;
  connectionUpdatedMs?: number;
  lastActivityMs?: number;
}

/** Who may connect, and how each proves itself. */
export class SqliteRegistry implements Registry {
  readonly #deps: RegistryDeps;
  readonly #table: IdentityTable;
  #devices: number;
  readonly #listeners = new Set<Parameters<Registry["onChanged"]>[0]>();
  /** Times of connections wait here until `saveActivity`: bounded by the identities there are. */
  readonly #activity = new Map<string, Activity>();

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
    this.#table = new IdentityTable(deps.database);
    const { enabled, disabled } = this.#table.counts();
    this.#devices = enabled + disabled;
  }

  get(identity: Identity): RegistryEntry | undefined {
    const stored = this.#table.get(identity);
    return stored === undefined ? undefined : this.#entryOf(stored);
  }

  devices(limit: number, afterDeviceId = ""): RegistryEntry[] {
    return this.#table.devices(limit, afterDeviceId).map((stored) => this.#entryOf(stored));
  }

  modules(deviceId: string): RegistryEntry[] {
    return this.#table.modules(deviceId).map((stored) => this.#entryOf(stored));
  }

  count(): { total: number; enabled: number; disabled: number; connected: number } {
    const { enabled, disabled } = this.#table.counts();
    return { total: enabled + disabled, enabled, disabled, connected: this.#deps.connectedDevices() };
  }

  create(identity: Identity, write: RegistryWrite): RegistryEntry {
    checkIdentity(identity);
    const created = this.#deps.database.transaction(() => this.#create(identity, write)).immediate();
    if (identity.moduleId === undefined) this.#devices++;
    for (const entry of created) this.#tell(entry, entry, "created");
    return this.#entryOf(created[0] as StoredEntry);
  }

  update(identity: Identity, write: RegistryWrite, ifMatch?: string): RegistryEntry {
    const changed = this.#deps.database
      .transaction(() => {
        const old = this.#table.get(identity);
        if (old === undefined) throw notFound(identity);
        checkEtag(old.etag, ifMatch);
        this.#checkScopes(old, write);
        const entry = merged(old, write, this.#deps.clock.nowMs());
        this.#table.update(entry);
        const isEdgeNow = entry.capabilities.iotEdge && !old.capabilities.iotEdge;
        return [entry, ...(isEdgeNow ? this.#createEdgeModules(entry.deviceId) : [])];
      })
      .immediate();
    changed.forEach((entry, i) => {
      this.#tell(entry, entry, i === 0 ? "updated" : "created");
    });
    return this.#entryOf(changed[0] as StoredEntry);
  }

  remove(identity: Identity, ifMatch?: string): void {
    const removed = this.#deps.database
      .transaction(() => {
        const old = this.#table.get(identity);
        if (old === undefined) throw notFound(identity);
        checkEtag(old.etag, ifMatch);
        const modules = identity.moduleId === undefined ? this.#table.modules(identity.deviceId) : [];
        if (identity.moduleId === undefined) this.#deps.onRemoving(identity.deviceId);
        this.#table.remove(identity);
        return [old, ...modules];
      })
      .immediate();
    if (identity.moduleId === undefined) this.#devices--;
    for (const entry of removed) {
      this.#activity.delete(keyOf(entry));
      this.#tell(entry, undefined, "removed");
    }
  }

  onChanged(listener: Parameters<Registry["onChanged"]>[0]): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A connection came or went, or something was heard on it. Kept in memory until `saveActivity`. */
  noteActivity(identity: Identity, what: "connection" | "message"): void {
    const { deviceId, moduleId } = identity;
    const key = keyOf(identity);
    let activity = this.#activity.get(key);
    if (activity === undefined) {
      activity = { identity: { deviceId, ...(moduleId === undefined ? {} : { moduleId }) } };
      this.#activity.set(key, activity);
    }
    const nowMs = this.#deps.clock.nowMs();
    activity.lastActivityMs = nowMs;
    if (what === "connection") activity.connectionUpdatedMs = nowMs;
  }

  saveActivity(): void {
    if (this.#activity.size === 0) return;
    this.#deps.database.transaction(() => {
      for (const { identity, connectionUpdatedMs, lastActivityMs } of this.#activity.values()) {
        const stored = this.#table.get(identity);
        if (stored === undefined) continue;
        this.#table.saveActivity(
          identity,
          connectionUpdatedMs ?? stored.connectionStateUpdatedMs,
          lastActivityMs ?? stored.lastActivityMs,
        );
      }
    })();
    this.#activity.clear();
  }

  #create(identity: Identity, write: RegistryWrite): StoredEntry[] {
    const { deviceId, moduleId } = identity;
    const existing = this.#table.get(identity);
    if (moduleId === undefined) {
      if (existing !== undefined) throw new HubError("DeviceAlreadyExists", `device ${deviceId} is registered already`);
      if (this.#devices >= DEVICES_MAX) throw new HubError("QuotaExceeded", `a hub has ${DEVICES_MAX} devices`);
    } else {
      if (this.#table.get({ deviceId }) === undefined) throw notFound({ deviceId });
      if (existing !== undefined) {
        throw new HubError("ModuleAlreadyExistsOnDevice", `module ${moduleId} of ${deviceId} is registered already`);
      }
      if (this.#table.moduleCount(deviceId) >= MODULES_MAX) {
        throw new HubError("QuotaExceeded", `a device has at most ${MODULES_MAX} modules`);
      }
    }
    const nowMs = this.#deps.clock.nowMs();
    this.#checkScopes(undefined, write);
    const entry = merged(blank(identity), { ...write, authentication: write.authentication ?? noKeys() }, nowMs);
    this.#table.insert(entry);
    this.#deps.twins.create(identity);
    const isEdge = moduleId === undefined && entry.capabilities.iotEdge;
    return [entry, ...(isEdge ? this.#createEdgeModules(deviceId) : [])];
  }

  #createEdgeModules(deviceId: string): StoredEntry[] {
    return EDGE_MODULES.filter((moduleId) => this.#table.get({ deviceId, moduleId }) === undefined).flatMap(
      (moduleId) => this.#create({ deviceId, moduleId }, { managedBy: "iotEdge" }),
    );
  }

  /** A scope that is new to an identity must be that of an edge device which is there. @throws HubError ArgumentInvalid */
  #checkScopes(old: StoredEntry | undefined, { deviceScope, parentScopes }: RegistryWrite): void {
    const known = [old?.deviceScope, ...(old?.parentScopes ?? [])];
    for (const scope of [deviceScope, ...(parentScopes ?? [])]) {
      if (scope === undefined || scope === null || known.includes(scope)) continue;
      const [, deviceId] = SCOPE.exec(scope) ?? [];
      const parent = deviceId === undefined ? undefined : this.#table.get({ deviceId });
      if (parent?.deviceScope !== scope || !parent.capabilities.iotEdge) {
        throw new HubError("ArgumentInvalid", `"${scope}" is not the scope of an edge device`);
      }
    }
  }

  #entryOf(stored: StoredEntry): RegistryEntry {
    const activity = this.#activity.get(keyOf(stored));
    return {
      ...stored,
      connectionState: this.#deps.isConnected(stored) ? "Connected" : "Disconnected",
      connectionStateUpdatedMs: activity?.connectionUpdatedMs ?? stored.connectionStateUpdatedMs,
      lastActivityMs: activity?.lastActivityMs ?? stored.lastActivityMs,
      cloudToDeviceMessageCount: stored.moduleId === undefined ? this.#deps.commandsOf(stored.deviceId) : 0,
    };
  }

  #tell(
    { deviceId, moduleId }: Identity,
    stored: StoredEntry | undefined,
    what: "created" | "updated" | "removed",
  ): void {
    const identity = { deviceId, ...(moduleId === undefined ? {} : { moduleId }) };
    const entry = stored === undefined ? undefined : this.#entryOf(stored);
    for (const listener of this.#listeners) listener(identity, entry, what);
  }
}

function blank({ deviceId, moduleId }: Identity): StoredEntry {
  return {
    deviceId,
    ...(moduleId === undefined ? {} : { moduleId }),
    // As IoT Hub's: a number of 18 digits.
    generationId: `${randomInt(1e8, 1e9)}${randomInt(1e8, 1e9)}`,
    etag: "",
    status: "enabled",
    statusReason: null,
    authentication: noKeys(),
    capabilities: { iotEdge: false },
    deviceScope: null,
    parentScopes: [],
    managedBy: null,
    connectionStateUpdatedMs: YEAR_ONE_MS,
    statusUpdatedMs: YEAR_ONE_MS,
    lastActivityMs: YEAR_ONE_MS,
  };
}

function noKeys(): Authentication {
  return {
    type: "sas",
    symmetricKey: { primaryKey: null, secondaryKey: null },
    x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
  };
}

/** The entry after the write, with a new etag. @throws HubError ArgumentInvalid */
function merged(old: StoredEntry, write: RegistryWrite, nowMs: number): StoredEntry {
  const status = write.status ?? old.status;
  if (status !== "enabled" && status !== "disabled") throw new HubError("ArgumentInvalid", `no status "${status}"`);
  const iotEdge = write.capabilities?.iotEdge ?? old.capabilities.iotEdge;
  if (iotEdge && old.moduleId !== undefined) throw new HubError("ArgumentInvalid", "a module is not an edge device");
  const ownScope = `ms-azure-iot-edge://${old.deviceId}-${old.generationId}`;
  const wantedScope = write.deviceScope ?? (iotEdge && !old.capabilities.iotEdge ? null : old.deviceScope);
  // An edge device's scope is its own; a parent is written into deviceScope of a leaf, and into parentScopes.
  const isLeaf = wantedScope !== null && wantedScope !== ownScope && !iotEdge;
  const parents = write.parentScopes ?? (isLeaf ? [wantedScope] : old.parentScopes);
  return {
    ...old,
    etag: randomBytes(9).toString("base64"),
    status,
    statusReason: write.statusReason === undefined ? old.statusReason : write.statusReason,
    statusUpdatedMs: status === old.status ? old.statusUpdatedMs : nowMs,
    authentication:
      write.authentication === undefined
        ? old.authentication
        : authenticationOf(write.authentication, old.authentication),
    capabilities: { iotEdge },
    deviceScope: iotEdge ? ownScope : wantedScope,
    parentScopes: parents,
    managedBy: write.managedBy === undefined ? old.managedBy : write.managedBy,
  };
}
