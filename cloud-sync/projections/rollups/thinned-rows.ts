import type { Sql } from "../../database/database.ts";
import type { TelemetryDocument } from "../../store/telemetry-document.ts";
import { instant, plainText } from "../sql/literals.ts";
import type { SeenStream } from "./seen-streams.ts";

const MINUTE_MS = 60_000;
const ROWS_MAX = 5_000;

interface ThinnedRange {
  readonly machineId: string;
  readonly epoch: string;
  readonly firstSeq: number;
}

interface ThinnedMinute extends ThinnedRange {
  readonly lastSeq: number;
  readonly signal: string;
  readonly minute: number;
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** What roll-ups of the boxes say, on its way into model.thinned_1m. */
export class ThinnedRows {
  readonly #added = new Map<string, readonly ThinnedMinute[]>();
  readonly #ended = new Map<string, ThinnedRange>();

  /** @param isPlausible whether the minute can be; others are left out. @throws FrameError when the roll-up is damaged */
  add(document: TelemetryDocument, stream: SeenStream, isPlausible: (ms: number) => boolean): void {
    const { machineId, epoch, firstSeq, lastSeq } = document.fields;
    const minutes: ThinnedMinute[] = [];
    for (const [signal, aggregates] of document.rollup?.content().minutes ?? []) {
      if (plainText(signal) !== signal) continue;
      for (const { minute, count, min, max, mean } of aggregates) {
        if (!isPlausible(minute * MINUTE_MS)) continue;
        minutes.push({ machineId, epoch, firstSeq, lastSeq, signal, minute, count, min, max, mean });
      }
    }
    stream.thinned.set(firstSeq, lastSeq);
    this.#added.set(keyOf(document.fields), minutes);
  }

  /** Ranges whose readings are all here say nothing new. */
  settle(streams: Iterable<SeenStream>): void {
    for (const { machineId, epoch, seen, thinned } of streams) {
      for (const [firstSeq, lastSeq] of thinned) {
        if (!seen.missing(firstSeq, lastSeq).next().done) continue;
        thinned.delete(firstSeq);
        const range = { machineId, epoch, firstSeq };
        this.#added.delete(keyOf(range));
        this.#ended.set(keyOf(range), range);
      }
    }
  }

  async write(sql: Sql): Promise<void> {
    const added = [...this.#added.values()].flatMap((minutes) => minutes.slice(0, 1));
    // Another version of a range replaces it whole.
    const gone = [...this.#ended.values(), ...added];
    if (gone.length > 0)
      await sql.prepared(
        "model_thinned_delete",
        `DELETE FROM model.thinned_1m t USING unnest($1::text[], $2::text[], $3::bigint[]) AS k (machine_id, epoch, first_seq)
          WHERE t.machine_id = k.machine_id AND t.epoch = k.epoch AND t.first_seq = k.first_seq`,
        [gone.map(({ machineId }) => machineId), gone.map(({ epoch }) => epoch), gone.map(({ firstSeq }) => firstSeq)],
      );
    const rows = [...this.#added.values()].flat();
    for (let from = 0; from < rows.length; from += ROWS_MAX) await insert(rows.slice(from, from + ROWS_MAX), sql);
  }

  clear(): void {
    this.#added.clear();
    this.#ended.clear();
  }
}

async function insert(rows: readonly ThinnedMinute[], sql: Sql): Promise<void> {
  await sql.prepared(
    "model_thinned_insert",
    `INSERT INTO model.thinned_1m (machine_id, epoch, first_seq, last_seq, signal, minute_at, count, minimum, maximum, mean)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[], $7::integer[],
                          $8::double precision[], $9::double precision[], $10::double precision[])
     ON CONFLICT DO NOTHING`,
    [
      rows.map(({ machineId }) => machineId),
      rows.map(({ epoch }) => epoch),
      rows.map(({ firstSeq }) => firstSeq),
      rows.map(({ lastSeq }) => lastSeq),
      rows.map(({ signal }) => signal),
      rows.map(({ minute }) => instant(minute * MINUTE_MS)),
      rows.map(({ count }) => count),
      rows.map(({ min }) => min),
      rows.map(({ max }) => max),
      rows.map(({ mean }) => mean),
    ],
  );
}

function keyOf({ machineId, epoch, firstSeq }: ThinnedRange): string {
  return `${epoch}\0${firstSeq}\0${machineId}`;
}
