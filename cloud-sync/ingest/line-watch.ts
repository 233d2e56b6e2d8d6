import type { Logger } from "pino";
import type { Component } from "../../edge/kernel/component.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import type { Database } from "../database/database.ts";
import { HubRegistry, type HubRegistryOptions, type TwinJson } from "./hub-registry.ts";

export interface LineWatchOptions extends HubRegistryOptions {
  readonly database: Database;
  readonly logger: Logger;
  readonly intervalMs?: number;
  /** What each page beyond the usual ones adds to the interval. */
  readonly pageMs?: number;
}

interface Line {
  readonly deviceId: string;
  readonly factoryId: string | null;
  readonly isConnected: boolean;
  readonly isEnabled: boolean;
  readonly activeAt: Date | null;
  /** JSON of reported.tailstock. */
  readonly reported: string;
}

/** Boxes are devices; under IoT Edge they are modules, of which only ours report of themselves. */
const QUERIES = ["SELECT * FROM devices", "SELECT * FROM devices.modules"] as const;
const INTERVAL_MS = 10_000;
/** IoT Hub takes twenty queries a minute and unit: each further page makes the pause longer. */
const PAGE_MS = 5_000;
const LINES_MAX = 10_000;
const WRITE_LINES = 500;

const WRITE = `
INSERT INTO app.line (device_id, factory_id, connected, enabled, active_at, reported, seen_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::boolean[], $5::timestamptz[], $6::jsonb[], $7::timestamptz[])
ON CONFLICT (device_id) DO UPDATE
   SET factory_id = excluded.factory_id, connected = excluded.connected, enabled = excluded.enabled,
       active_at = excluded.active_at, reported = excluded.reported, seen_at = excluded.seen_at`;

/** Keeps app.line as the hub's registry has it: which boxes are connected, and what they report of themselves. */
export class LineWatch implements Component {
  readonly name = "lines";
  readonly #options: LineWatchOptions;

  constructor(options: LineWatchOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { clock, logger, intervalMs = INTERVAL_MS, pageMs = PAGE_MS } = this.#options;
    const failures = new FailureLog(logger, clock, { component: this.name });
    using registry = new HubRegistry(this.#options);
    // A hub that does not answer is waited for, and nobody waits for it with us.
    ready();
    while (!signal.aborted) {
      let pauseMs = intervalMs;
      try {
        const pages = await this.#look(registry, signal);
        pauseMs = Math.max(intervalMs, (pages - QUERIES.length) * pageMs);
        failures.recovered();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof EdgeError)) throw error;
        failures.failed(error);
      }
      await clock.sleep(pauseMs, signal);
    }
  }

  /** @returns how many pages it took */
  async #look(registry: HubRegistry, signal: AbortSignal): Promise<number> {
    const lines = new Map<string, Line>();
    let pages = 0;
    for (const query of QUERIES) {
      let continuation: string | undefined;
      do {
        const page = await registry.query(query, continuation, signal);
        pages++;
        for (const twin of page.items) {
          const line = lineOf(twin);
          if (line !== undefined && lines.size < LINES_MAX) lines.set(line.deviceId, line);
        }
        continuation = page.continuation;
      } while (continuation !== undefined && lines.size < LINES_MAX);
    }
    await this.#write(await this.#withFactories([...lines.values()]));
    return pages;
  }

  /** A box without a tag belongs to the factory of most of the machines that came by it. */
  async #withFactories(lines: readonly Line[]): Promise<readonly Line[]> {
    const unknown = lines.filter(({ factoryId }) => factoryId === null).map(({ deviceId }) => deviceId);
    if (unknown.length === 0) return lines;
    const { rows } = await this.#options.database.query<{ device_id: string; factory_id: string }>(
      `SELECT device_id, factory_id FROM model.machine_latest WHERE device_id = ANY ($1::text[])
        GROUP BY device_id, factory_id ORDER BY count(*), factory_id DESC`,
      [unknown],
    );
    const factories = new Map(rows.map((row) => [row.device_id, row.factory_id]));
    return lines.map((line) => ({ ...line, factoryId: line.factoryId ?? factories.get(line.deviceId) ?? null }));
  }

  async #write(lines: readonly Line[]): Promise<void> {
    const { database, clock } = this.#options;
    const seenAt = new Date(clock.nowMs());
    await database.transaction(async (sql) => {
      for (let at = 0; at < lines.length; at += WRITE_LINES) {
        const part = lines.slice(at, at + WRITE_LINES);
        await sql.query(WRITE, [
          part.map(({ deviceId }) => deviceId),
          part.map(({ factoryId }) => factoryId),
          part.map(({ isConnected }) => isConnected),
          part.map(({ isEnabled }) => isEnabled),
          part.map(({ activeAt }) => activeAt),
          part.map(({ reported }) => reported),
          part.map(() => seenAt),
        ]);
      }
      await sql.query("DELETE FROM app.line WHERE device_id <> ALL ($1::text[])", [
        lines.map(({ deviceId }) => deviceId),
      ]);
    });
  }
}

function lineOf(twin: TwinJson): Line | undefined {
  const { deviceId, moduleId, tags, properties, connectionState, status, lastActivityTime } = twin;
  if (typeof deviceId !== "string" || deviceId === "") return undefined;
  const ours = objectOf(objectOf(objectOf(properties).reported).tailstock);
  const isModule = typeof moduleId === "string";
  if (isModule && Object.keys(ours).length === 0) return undefined;
  const activeMs = typeof lastActivityTime === "string" ? Date.parse(lastActivityTime) : Number.NaN;
  const { factory, site } = objectOf(tags);
  return {
    deviceId: isModule ? `${deviceId}/${moduleId}` : deviceId,
    factoryId: typeof factory === "string" ? factory : typeof site === "string" ? site : null,
    isConnected: connectionState === "Connected",
    isEnabled: status !== "disabled",
    // The year 1 stands for never.
    activeAt: activeMs > 0 ? new Date(activeMs) : null,
    reported: JSON.stringify(storable(ours)),
  };
}

/** jsonb takes neither NUL nor half of a surrogate pair. */
function storable(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("\0", "\ufffd").toWellFormed();
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [storable(key), storable(each)]));
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
