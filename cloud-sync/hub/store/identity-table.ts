import type Database from "better-sqlite3";
import type { AuthenticationType, Identity, RegistryEntry } from "../ports.ts";

/** What the table keeps of an entry: the rest is known to the links and the command queue. */
export type StoredEntry = Omit<RegistryEntry, "connectionState" | "cloudToDeviceMessageCount">;

interface Row {
  device_id: string;
  module_id: string;
  generation_id: string;
  etag: string;
  status: "enabled" | "disabled";
  status_reason: string | null;
  auth_type: AuthenticationType;
  primary_key: string | null;
  secondary_key: string | null;
  primary_thumbprint: string | null;
  secondary_thumbprint: string | null;
  iot_edge: number;
  device_scope: string | null;
  parent_scopes: string;
  managed_by: string | null;
  connection_updated_ms: number;
  status_updated_ms: number;
  last_activity_ms: number;
}

const COLUMNS = [
  "device_id",
  "module_id",
  "generation_id",
  "etag",
  "status",
  "status_reason",
  "auth_type",
  "primary_key",
  "secondary_key",
  "primary_thumbprint",
  "secondary_thumbprint",
  "iot_edge",
  "device_scope",
  "parent_scopes",
  "managed_by",
  "connection_updated_ms",
  "status_updated_ms",
  "last_activity_ms",
] as const satisfies readonly (keyof Row)[];

/** The rows of identities; a device's module id is ''. */
export class IdentityTable {
  readonly #get: Database.Statement<[string, string], Row>;
  readonly #devices: Database.Statement<[string, number], Row>;
  readonly #modules: Database.Statement<[string], Row>;
  readonly #insert: Database.Statement;
  readonly #update: Database.Statement;
  readonly #remove: Database.Statement<[string, string]>;
  readonly #removeModules: Database.Statement<[string]>;
  readonly #saveActivity: Database.Statement<[number, number, string, string]>;
  readonly #count: Database.Statement<[], { status: string; n: number }>;
  readonly #moduleCount: Database.Statement<[string], number>;

  constructor(database: Database.Database) {
    const columns = COLUMNS.join(", ");
    this.#get = database.prepare(`SELECT ${columns} FROM identity WHERE device_id = ? AND module_id = ?`);
    this.#devices = database.prepare(
      `SELECT ${columns} FROM identity WHERE device_id > ? AND module_id = '' ORDER BY device_id LIMIT ?`,
    );
    this.#modules = database.prepare(
      `SELECT ${columns} FROM identity WHERE device_id = ? AND module_id != '' ORDER BY module_id`,
    );
    this.#insert = database.prepare(
      `INSERT INTO identity (${columns}) VALUES (${COLUMNS.map((column) => `@${column}`).join(", ")})`,
    );
    this.#update = database.prepare(
      `UPDATE identity SET ${COLUMNS.slice(2)
        .map((column) => `${column} = @${column}`)
        .join(", ")} WHERE device_id = @device_id AND module_id = @module_id`,
    );
    this.#remove = database.prepare("DELETE FROM identity WHERE device_id = ? AND module_id = ?");
    this.#removeModules = database.prepare("DELETE FROM identity WHERE device_id = ? AND module_id != ''");
    this.#saveActivity = database.prepare(
      "UPDATE identity SET connection_updated_ms = ?, last_activity_ms = ? WHERE device_id = ? AND module_id = ?",
    );
    this.#count = database.prepare("SELECT status, count(*) AS n FROM identity WHERE module_id = '' GROUP BY status");
    this.#moduleCount = database
      .prepare<[string], number>("SELECT count(*) FROM identity WHERE device_id = ? AND module_id != ''")
      .pluck();
  }

  get({ deviceId, moduleId }: Identity): StoredEntry | undefined {
    const row = this.#get.get(deviceId, moduleId ?? "");
    return row === undefined ? undefined : entryOf(row);
  }

  devices(limit: number, afterDeviceId: string): StoredEntry[] {
    return this.#devices.all(afterDeviceId, limit).map(entryOf);
  }

  modules(deviceId: string): StoredEntry[] {
    return this.#modules.all(deviceId).map(entryOf);
  }

  moduleCount(deviceId: string): number {
    return this.#moduleCount.get(deviceId) ?? 0;
  }

  insert(entry: StoredEntry): void {
    this.#insert.run(rowOf(entry));
  }

  update(entry: StoredEntry): void {
    this.#update.run(rowOf(entry));
  }

  remove({ deviceId, moduleId }: Identity): void {
    if (moduleId === undefined) this.#removeModules.run(deviceId);
    this.#remove.run(deviceId, moduleId ?? "");
  }

  saveActivity({ deviceId, moduleId }: Identity, connectionUpdatedMs: number, lastActivityMs: number): void {
    this.#saveActivity.run(Math.floor(connectionUpdatedMs), Math.floor(lastActivityMs), deviceId, moduleId ?? "");
  }

  counts(): { enabled: number; disabled: number } {
    const counts = new Map(this.#count.all().map(({ status, n }) => [status, n]));
    return { enabled: counts.get("enabled") ?? 0, disabled: counts.get("disabled") ?? 0 };
  }
}

function entryOf(row: Row): StoredEntry {
  return {
    deviceId: row.device_id,
    ...(row.module_id === "" ? {} : { moduleId: row.module_id }),
    generationId: row.generation_id,
    etag: row.etag,
    status: row.status,
    statusReason: row.status_reason,
    authentication: {
      type: row.auth_type,
      symmetricKey: { primaryKey: row.primary_key, secondaryKey: row.secondary_key },
      x509Thumbprint: { primaryThumbprint: row.primary_thumbprint, secondaryThumbprint: row.secondary_thumbprint },
    },
    capabilities: { iotEdge: row.iot_edge !== 0 },
    deviceScope: row.device_scope,
    parentScopes: JSON.parse(row.parent_scopes) as string[],
    managedBy: row.managed_by,
    connectionStateUpdatedMs: row.connection_updated_ms,
    statusUpdatedMs: row.status_updated_ms,
    lastActivityMs: row.last_activity_ms,
  };
}

function rowOf(entry: StoredEntry): Row {
  const { symmetricKey, x509Thumbprint, type } = entry.authentication;
  return {
    device_id: entry.deviceId,
    module_id: entry.moduleId ?? "",
    generation_id: entry.generationId,
    etag: entry.etag,
    status: entry.status,
    status_reason: entry.statusReason,
    auth_type: type,
    primary_key: symmetricKey.primaryKey,
    secondary_key: symmetricKey.secondaryKey,
    primary_thumbprint: x509Thumbprint.primaryThumbprint,
    secondary_thumbprint: x509Thumbprint.secondaryThumbprint,
    iot_edge: entry.capabilities.iotEdge ? 1 : 0,
    device_scope: entry.deviceScope,
    parent_scopes: JSON.stringify(entry.parentScopes),
    managed_by: entry.managedBy,
    connection_updated_ms: Math.floor(entry.connectionStateUpdatedMs),
    status_updated_ms: Math.floor(entry.statusUpdatedMs),
    last_activity_ms: Math.floor(entry.lastActivityMs),
  };
}
