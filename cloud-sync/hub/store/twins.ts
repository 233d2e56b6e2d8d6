import type Database from "better-sqlite3";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { notFound } from "../identity.ts";
import type { Identity, JsonMap, Twin, TwinSection, Twins } from "../ports.ts";
import { checkEtag } from "./etag.ts";
import { checkPatch, checkSize, PROPERTIES_BYTES_MAX, TAGS_BYTES_MAX } from "./twin-limits.ts";
import { mergedTags, patched, replaced, replacingPatch } from "./twin-section.ts";

interface Row {
  device_id: string;
  module_id: string;
  version: number;
  etag_number: number;
  tags: string;
  desired: string;
  desired_metadata: string;
  desired_version: number;
  reported: string;
  reported_metadata: string;
  reported_version: number;
  configurations: string;
}

type StoredTwin = Omit<Twin, "etag"> & { readonly etagNumber: number };
type Change = { readonly tags?: JsonMap | null; readonly desired?: JsonMap | null };

const COLUMNS =
  "device_id, module_id, version, etag_number, tags, desired, desired_metadata, desired_version, reported, reported_metadata, reported_version, configurations";
/** How many twins `all` holds in memory at once. */
const PAGE_TWINS = 100;

/** The device and module twins. */
export class SqliteTwins implements Twins {
  readonly #clock: Clock;
  readonly #database: Database.Database;
  readonly #get: Database.Statement<[string, string], Row>;
  readonly #after: Database.Statement<[string, string, number], Row>;
  readonly #put: Database.Statement;
  readonly #listeners = new Set<(identity: Identity, patch: JsonMap) => void>();
  readonly #changeListeners = new Set<(twin: Twin, change: JsonMap) => void>();

  constructor(database: Database.Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#get = database.prepare(`SELECT ${COLUMNS} FROM twin WHERE device_id = ? AND module_id = ?`);
    this.#after = database.prepare(
      `SELECT ${COLUMNS} FROM twin WHERE (device_id, module_id) > (?, ?) ORDER BY device_id, module_id LIMIT ?`,
    );
    const parameters = COLUMNS.split(", ").map((column) => `@${column}`);
    const updates = COLUMNS.split(", ").slice(2);
    this.#put = database.prepare(
      `INSERT INTO twin (${COLUMNS}) VALUES (${parameters.join(", ")})
       ON CONFLICT (device_id, module_id) DO UPDATE SET ${updates.map((c) => `${c} = excluded.${c}`).join(", ")}`,
    );
  }

  get(identity: Identity): Twin {
    return shown(this.#stored(identity));
  }

  *all(): Iterable<Twin> {
    let after: readonly [string, string] = ["", ""];
    for (;;) {
      const rows = this.#after.all(...after, PAGE_TWINS);
      for (const row of rows) yield shown(twinOf(row));
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.device_id, last.module_id];
    }
  }

  patchReported(identity: Identity, patch: JsonMap): number {
    checkPatch(patch, "reported properties");
    const twin = this.#database
      .transaction(() => {
        const old = this.#stored(identity);
        const reported = patched(old.reported, patch, { $lastUpdated: this.#now() });
        checkSize(reported.values, old.reported.values, "reported properties", PROPERTIES_BYTES_MAX);
        return this.#save({ ...old, version: old.version + 1, reported });
      })
      .immediate();
    this.#tellChange(twin, { properties: { reported: { ...patch, $version: twin.reported.version } } });
    return twin.reported.version;
  }

  write(identity: Identity, change: Change, how: "patch" | "replace", ifMatch?: string): Twin {
    if (change.tags) checkPatch(change.tags, "tags");
    if (change.desired) checkPatch(change.desired, "desired properties");
    const { twin, patch } = this.#database
      .transaction(() => {
        const old = this.#stored(identity);
        checkEtag(etagOf(old.etagNumber), ifMatch);
        const written = this.#written(old, change, how);
        this.#save(written.twin);
        return written;
      })
      .immediate();
    if (patch !== undefined) {
      const told = { ...patch, $version: twin.desired.version };
      for (const listener of this.#listeners) listener(identity, told);
    }
    this.#tellChange(twin, {
      ...(change.tags === undefined ? {} : { tags: twin.tags }),
      ...(patch === undefined ? {} : { properties: { desired: { ...patch, $version: twin.desired.version } } }),
    });
    return shown(twin);
  }

  onDesired(listener: (identity: Identity, patch: JsonMap) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every change, for the events of twins. */
  onChange(listener: (twin: Twin, change: JsonMap) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Of a new identity; within the transaction that creates it. */
  create({ deviceId, moduleId }: Identity): void {
    const $lastUpdated = this.#now();
    this.#save({
      deviceId,
      ...(moduleId === undefined ? {} : { moduleId }),
      version: 2,
      etagNumber: 1,
      tags: {},
      desired: { values: {}, metadata: { $lastUpdated }, version: 1 },
      reported: { values: {}, metadata: { $lastUpdated }, version: 1 },
      configurations: {},
    });
  }

  #written(old: StoredTwin, change: Change, how: "patch" | "replace"): { twin: StoredTwin; patch?: JsonMap } {
    const { tags, desired } = change;
    let twin: StoredTwin = { ...old, version: old.version + 1, etagNumber: old.etagNumber + 1 };
    if (tags !== undefined) {
      const values = tags === null || how === "replace" ? mergedTags({}, tags ?? {}) : mergedTags(old.tags, tags);
      checkSize(values, old.tags, "tags", TAGS_BYTES_MAX);
      twin = { ...twin, tags: values };
    }
    if (desired === undefined) return { twin };
    const stamp = { $lastUpdated: this.#now(), $lastUpdatedVersion: old.desired.version + 1 };
    const isReplaced = desired === null || how === "replace";
    const section = isReplaced ? replaced(old.desired, desired ?? {}, stamp) : patched(old.desired, desired, stamp);
    checkSize(section.values, old.desired.values, "desired properties", PROPERTIES_BYTES_MAX);
    const patch = isReplaced ? replacingPatch(old.desired.values, section.values) : desired;
    return { twin: { ...twin, desired: section }, patch };
  }

  #stored(identity: Identity): StoredTwin {
    const row = this.#get.get(identity.deviceId, identity.moduleId ?? "");
    if (row !== undefined) return twinOf(row);
    // A module's device that is not there is what the caller should hear of.
    const { deviceId } = identity;
    throw this.#get.get(deviceId, "") === undefined ? notFound({ deviceId }) : notFound(identity);
  }

  #save(twin: StoredTwin): StoredTwin {
    this.#put.run({
      device_id: twin.deviceId,
      module_id: twin.moduleId ?? "",
      version: twin.version,
      etag_number: twin.etagNumber,
      tags: JSON.stringify(twin.tags),
      desired: JSON.stringify(twin.desired.values),
      desired_metadata: JSON.stringify(twin.desired.metadata),
      desired_version: twin.desired.version,
      reported: JSON.stringify(twin.reported.values),
      reported_metadata: JSON.stringify(twin.reported.metadata),
      reported_version: twin.reported.version,
      configurations: JSON.stringify(twin.configurations),
    });
    return twin;
  }

  #now(): string {
    return new Date(this.#clock.nowMs()).toISOString();
  }

  #tellChange(twin: StoredTwin, change: JsonMap): void {
    for (const listener of this.#changeListeners) listener(shown(twin), change);
  }
}

function twinOf(row: Row): StoredTwin {
  const section = (values: string, metadata: string, version: number): TwinSection => ({
    values: JSON.parse(values) as JsonMap,
    metadata: JSON.parse(metadata) as JsonMap,
    version,
  });
  return {
    deviceId: row.device_id,
    ...(row.module_id === "" ? {} : { moduleId: row.module_id }),
    version: row.version,
    etagNumber: row.etag_number,
    tags: JSON.parse(row.tags) as JsonMap,
    desired: section(row.desired, row.desired_metadata, row.desired_version),
    reported: section(row.reported, row.reported_metadata, row.reported_version),
    configurations: JSON.parse(row.configurations) as JsonMap,
  };
}

function shown({ etagNumber, ...twin }: StoredTwin): Twin {
  return { ...twin, etag: etagOf(etagNumber) };
}

/** As IoT Hub's: the number's eight bytes in base64, "AAAAAAAAAAE=". */
function etagOf(number: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes.toString("base64");
}
