import type { Database } from "../../cloud-sync/database/database.ts";

export type Rows = readonly Record<string, unknown>[];

/** What the read models say, in words that do not depend on the numbers of signal sets. */
export async function dumpModels(database: Database, machineIds?: readonly string[]) {
  const rows = async (text: string): Promise<Rows> => {
    const condition = machineIds === undefined ? "$1::text[] IS NULL" : "machine_id = ANY($1::text[])";
    const { rows } = await database.query(
      text.replace("WHERE HERE", () => `WHERE ${condition}`),
      [machineIds ?? null],
    );
    const texts = rows.map((row) => JSON.stringify(row)).sort();
    return texts.map((each) => JSON.parse(each));
  };
  return {
    latest: await rows(
      "SELECT machine_id, signal, number, other, status_code, received_at, seq FROM report.machine_latest WHERE HERE",
    ),
    machines: await rows("SELECT machine_id, factory_id, epoch, type_name, state FROM model.machine_latest WHERE HERE"),
    minutes: await rows(
      "SELECT machine_id, signal, minute_at, count, bad, minimum, maximum, sum FROM report.rollup_1m WHERE HERE",
    ),
    hours: await rows(
      "SELECT machine_id, signal, hour_at, count::int, bad::int, minimum, maximum, sum FROM report.rollup_1h WHERE HERE",
    ),
    entities: await rows("SELECT machine_id, id, entity_id, event_type, event_at FROM model.entity_event WHERE HERE"),
    anomalies: await rows("SELECT machine_id, id, kind, event_at FROM model.anomaly WHERE HERE"),
    alarms: await rows(
      "SELECT machine_id, alarm_id, state, occurrences::int, changed_at, raised_at FROM model.alarm WHERE HERE",
    ),
    predictions: await rows("SELECT machine_id, id, requirement, outside_training FROM model.prediction WHERE HERE"),
    windows: await rows(
      `SELECT machine_id, window_hours, window_at, requirement, predictions::int, outside::int, first_at, last_at
         FROM model.maintenance_aggregate WHERE HERE`,
    ),
    ranges: await rows("SELECT machine_id, epoch, first_seq, last_seq, state FROM model.ledger_range WHERE HERE"),
    streams: await rows(
      "SELECT machine_id, epoch, first_seq, last_seq, events, samples, thinned, lost, missing FROM model.ledger_stream WHERE HERE",
    ),
  };
}
