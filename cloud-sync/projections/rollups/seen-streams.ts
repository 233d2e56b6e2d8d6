import type { Sql } from "../../database/database.ts";
import { FOREIGN_EPOCH_PREFIX } from "../../store/telemetry-document.ts";
import { numbersLiteral } from "../sql/literals.ts";
import { BoundedMap } from "../state/bounded-map.ts";
import { SeqSet } from "../state/seq-set.ts";

/** Ranges of all streams in memory, and of one whose numbers have holes: then of the newest. */
const [RANGES_MAX, FOREIGN_RANGES_MAX] = [1_000_000, 256];
const STREAMS_OF_RESET = 500;

/** What the rollups of one stream count, so that a document that comes twice counts once. */
export interface SeenStream {
  readonly machineId: string;
  readonly epoch: string;
  readonly seen: SeqSet;
  /** What was counted before it was made anew, and then was left as it was for times before `keptMs`. */
  readonly kept: SeqSet;
  readonly keptMs: number;
  /** First seq of ranges that are told by a roll-up of the box, and their last. */
  readonly thinned: Map<number, number>;
}

export class SeenStreams {
  readonly #kept = new BoundedMap<string, SeenStream>(RANGES_MAX);
  readonly #changed = new Map<string, SeenStream>();

  get(machineId: string, epoch: string): SeenStream {
    return this.#changed.get(keyOf(machineId, epoch)) as SeenStream;
  }

  /** Loads those that are not in memory; they then are, and count as changed. */
  async open(streams: readonly { readonly machineId: string; readonly epoch: string }[], sql: Sql): Promise<void> {
    const missing = new Map<string, { machineId: string; epoch: string }>();
    for (const { machineId, epoch } of streams) {
      const key = keyOf(machineId, epoch);
      const known = this.#changed.get(key) ?? this.#kept.get(key);
      if (known === undefined) missing.set(key, { machineId, epoch });
      else this.#changed.set(key, known);
    }
    if (missing.size === 0) return;
    const { rows } = await sql.prepared<SeenRow>(
      "model_rollup_seen_read",
      `SELECT s.machine_id, s.epoch, s.seen, s.kept, s.kept_ms, s.thinned FROM unnest($1::text[], $2::text[]) AS k (machine_id, epoch)
         JOIN model.rollup_seen s ON s.machine_id = k.machine_id AND s.epoch = k.epoch`,
      [[...missing.values()].map(({ machineId }) => machineId), [...missing.values()].map(({ epoch }) => epoch)],
    );
    for (const row of rows) this.#changed.set(keyOf(row.machine_id, row.epoch), streamOf(row));
    for (const [key, { machineId, epoch }] of missing) {
      if (this.#changed.has(key)) continue;
      const none = { seen: [], kept: [], kept_ms: Number.NEGATIVE_INFINITY, thinned: [] };
      this.#changed.set(key, streamOf({ machine_id: machineId, epoch, ...none }));
    }
  }

  changed(): Iterable<SeenStream> {
    return this.#changed.values();
  }

  async write(sql: Sql): Promise<void> {
    await writeStreams([...this.#changed.values()], sql);
  }

  written(): void {
    for (const [key, stream] of this.#changed)
      this.#kept.set(key, stream, 5 + stream.seen.ranges + stream.kept.ranges + stream.thinned.size);
    this.#changed.clear();
  }

  forget(): void {
    this.#kept.clear();
    this.#changed.clear();
  }

  /** What was seen becomes what is kept. */
  async reset(keepBeforeMs: number, sql: Sql): Promise<void> {
    this.forget();
    for (let after = ["", ""]; ; ) {
      const { rows } = await sql.query<SeenRow>(
        `SELECT machine_id, epoch, seen, kept, kept_ms, thinned FROM model.rollup_seen
          WHERE (machine_id, epoch) > ($1, $2) ORDER BY machine_id, epoch LIMIT $3`,
        [...after, STREAMS_OF_RESET],
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.machine_id, last.epoch];
      const streams = rows.map((row): SeenStream => {
        const { machineId, epoch, seen, kept } = streamOf(row);
        for (const [first, end] of seen) kept.add(first, end);
        return { machineId, epoch, seen: new SeqSet(), kept, keptMs: keepBeforeMs, thinned: new Map() };
      });
      await writeStreams(streams, sql);
    }
  }
}

interface SeenRow {
  readonly machine_id: string;
  readonly epoch: string;
  readonly seen: readonly (string | number)[];
  readonly kept: readonly (string | number)[];
  readonly kept_ms: number;
  readonly thinned: readonly (string | number)[];
}

function keyOf(machineId: string, epoch: string): string {
  return `${epoch}\0${machineId}`;
}

function streamOf({ machine_id, epoch, seen, kept, kept_ms, thinned }: SeenRow): SeenStream {
  const rangesMax = epoch.startsWith(FOREIGN_EPOCH_PREFIX) ? FOREIGN_RANGES_MAX : undefined;
  const ranges = thinned.map(Number);
  return {
    machineId: machine_id,
    epoch,
    seen: SeqSet.of(seen.map(Number), rangesMax),
    kept: SeqSet.of(kept.map(Number), rangesMax),
    keptMs: kept_ms,
    thinned: new Map(ranges.flatMap((first, i) => (i % 2 === 0 ? [[first, ranges[i + 1] as number]] : []))),
  };
}

async function writeStreams(streams: readonly SeenStream[], sql: Sql): Promise<void> {
  if (streams.length === 0) return;
  await sql.prepared(
    "model_rollup_seen_write",
    `INSERT INTO model.rollup_seen (machine_id, epoch, seen, kept, kept_ms, thinned)
     SELECT machine_id, epoch, seen::bigint[], kept::bigint[], kept_ms, thinned::bigint[]
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::double precision[], $6::text[])
            AS t (machine_id, epoch, seen, kept, kept_ms, thinned)
     ON CONFLICT (machine_id, epoch) DO UPDATE
        SET seen = excluded.seen, kept = excluded.kept, kept_ms = excluded.kept_ms, thinned = excluded.thinned`,
    [
      streams.map(({ machineId }) => machineId),
      streams.map(({ epoch }) => epoch),
      streams.map(({ seen }) => numbersLiteral(seen.flat())),
      streams.map(({ kept }) => numbersLiteral(kept.flat())),
      streams.map(({ keptMs }) => keptMs),
      streams.map(({ thinned }) => numbersLiteral([...thinned].flat())),
    ],
  );
}
