import { randomBytes } from "node:crypto";
import type Database from "better-sqlite3";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { HubError } from "../hub-error.ts";
import type { JsonMap } from "../ports.ts";
import { checkEtag } from "./etag.ts";

/** IoT Hub's own limit. */
const CONFIGURATIONS_MAX = 100;
const ID = /^[a-z0-9\-+%_#*?!(),=@$']{1,128}$/;

/** What a service writes of an automatic configuration or a deployment. */
export interface ConfigurationWrite {
  readonly content: JsonMap;
  readonly targetCondition: string;
  readonly priority: number;
  readonly labels: JsonMap | null;
  readonly schemaVersion: string;
  /** Query texts by the metric's name. */
  readonly metricQueries: Readonly<Record<string, string>>;
}

export interface StoredConfiguration extends ConfigurationWrite {
  readonly id: string;
  readonly etag: string;
  readonly createdMs: number;
  readonly updatedMs: number;
}

interface Row {
  id: string;
  etag: string;
  document: string;
  priority: number;
  created_ms: number;
  updated_ms: number;
}

const COLUMNS = "id, etag, document, priority, created_ms, updated_ms";

/** Automatic configurations, and what a service asked of them. */
export class ConfigurationStore {
  readonly #clock: Clock;
  readonly #database: Database.Database;
  readonly #listeners = new Set<() => void>();

  constructor(database: Database.Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The one that wins first: higher priority, then the one made last. */
  all(): StoredConfiguration[] {
    return this.#database
      .prepare<[], Row>(`SELECT ${COLUMNS} FROM configuration ORDER BY priority DESC, created_ms DESC, id`)
      .all()
      .map(configurationOf);
  }

  /** @throws HubError ConfigurationNotFound */
  get(id: string): StoredConfiguration {
    const row = this.#row(id);
    if (row === undefined) throw new HubError("ConfigurationNotFound", `there is no configuration ${id}`);
    return configurationOf(row);
  }

  /** @throws HubError ConfigurationAlreadyExists, ArgumentInvalid, QuotaExceeded */
  create(id: string, write: ConfigurationWrite): StoredConfiguration {
    if (!ID.test(id)) throw new HubError("ArgumentInvalid", `"${id}" is not an id of a configuration`);
    if (this.#row(id) !== undefined) {
      throw new HubError("ConfigurationAlreadyExists", `there is a configuration ${id} already`);
    }
    const count = this.#database.prepare<[], number>("SELECT count(*) FROM configuration").pluck().get() ?? 0;
    if (count >= CONFIGURATIONS_MAX) {
      throw new HubError("QuotaExceeded", `a hub has at most ${CONFIGURATIONS_MAX} configurations`);
    }
    const nowMs = this.#clock.nowMs();
    return this.#put({ id, ...write, etag: newEtag(), createdMs: nowMs, updatedMs: nowMs });
  }

  /** @throws HubError ConfigurationNotFound, PreconditionFailed, ArgumentInvalid when the content would change */
  update(id: string, write: ConfigurationWrite, ifMatch: string): StoredConfiguration {
    const old = this.get(id);
    checkEtag(old.etag, ifMatch);
    if (JSON.stringify(old.content) !== JSON.stringify(write.content)) {
      throw new HubError("ArgumentInvalid", "the content of a configuration cannot be changed, make another one");
    }
    return this.#put({ ...old, ...write, etag: newEtag(), updatedMs: this.#clock.nowMs() });
  }

  /** @throws HubError ConfigurationNotFound, PreconditionFailed */
  remove(id: string, ifMatch: string | undefined): void {
    checkEtag(this.get(id).etag, ifMatch);
    this.#database.prepare("DELETE FROM configuration WHERE id = ?").run(id);
    for (const listener of this.#listeners) listener();
  }

  onChanged(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #row(id: string): Row | undefined {
    return this.#database.prepare<[string], Row>(`SELECT ${COLUMNS} FROM configuration WHERE id = ?`).get(id);
  }

  #put(configuration: StoredConfiguration): StoredConfiguration {
    const { id, etag, priority, createdMs, updatedMs, ...document } = configuration;
    this.#database
      .prepare(`INSERT OR REPLACE INTO configuration (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`)
      .run(id, etag, JSON.stringify(document), priority, Math.floor(createdMs), Math.floor(updatedMs));
    for (const listener of this.#listeners) listener();
    return configuration;
  }
}

function configurationOf(row: Row): StoredConfiguration {
  const { id, etag, priority, created_ms: createdMs, updated_ms: updatedMs } = row;
  const document = JSON.parse(row.document) as Omit<ConfigurationWrite, "priority">;
  return { ...document, id, etag, priority, createdMs, updatedMs };
}

function newEtag(): string {
  return randomBytes(9).toString("base64");
}
