import type { Database } from "../../../cloud-sync/database/database.ts";

/** The period of a machine's ticks. */
const TICK_MS = 1_000;
/** Steps that are no tick: the tick's own jitter. */
const JITTER_MS = 500;

/** Sees, as any other reader of the database would, when the newest tick of each machine arrives in model.machine_latest. */
export class LatencyProbe {
  readonly latenciesMs: number[] = [];
  readonly #database: Database;
  readonly #newestMs = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** A look; ticks that came since the one before count each, the older of them as the later ones that they waited for. */
  async look(): Promise<void> {
    const { rows } = await this.#database.prepared<{ machine_id: string; event_ms: number }>(
      "probe",
      "SELECT machine_id, extract(epoch FROM event_at)::float8 * 1000 AS event_ms FROM model.machine_latest WHERE machine_id NOT LIKE '%/edge'",
    );
    const nowMs = Date.now();
    for (const { machine_id, event_ms } of rows) {
      const before = this.#newestMs.get(machine_id);
      this.#newestMs.set(machine_id, event_ms);
      if (before === undefined) continue;
      for (let tickMs = event_ms; tickMs > before + JITTER_MS; tickMs -= TICK_MS) this.latenciesMs.push(nowMs - tickMs);
    }
  }
}
