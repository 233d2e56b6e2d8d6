import type { Sql } from "../../cloud-sync/database/database.ts";

export interface OfficeDataOptions {
  readonly factories: number;
  /** Of each factory. */
  readonly machines: number;
  /** Of each machine: s000, s001, …; the first three are those of the lab. */
  readonly signals: number;
  /** "Now": everything is older. UTC epoch ms. */
  readonly nowMs: number;
  /** Hours of one-minute and one-hour roll-ups, of the first machines of each factory. */
  readonly rollupHours: number;
  readonly rollupMachines: number;
  /** Predictions and telemetry entities of each machine. */
  readonly entities: number;
}

const CITIES = ["Redmond", "Leipzig", "Monterrey", "Pune", "Gdańsk", "Osaka", "Porto", "Lyon"];
const TYPES = ["mill", "lathe", "stamping press", "grinder"];

export const factoryName = (index: number): string => (CITIES[index % CITIES.length] ?? "City").toLowerCase();
export const machineId = (factory: number, machine: number): string =>
  `${factoryName(factory)}/${(TYPES[machine % TYPES.length] ?? "mill").replace(" ", "-")}-${String(machine).padStart(3, "0")}`;

/**
 * Fills the read models as the projections would: the same rows for the same options. Values follow from the numbers of machine, signal and
 * time, so that a mistaken join shows.
 */
export async function fillOffice(sql: Sql, options: OfficeDataOptions): Promise<void> {
  const { nowMs } = options;
  const names = Array.from({ length: options.factories }, (_, index) => factoryName(index));
  const ids = names.flatMap((_, factory) =>
    Array.from({ length: options.machines }, (_unused, machine) => machineId(factory, machine)),
  );
  const signals = Array.from({ length: options.signals }, (_, index) => signalName(index));
  const now = new Date(nowMs);
  await sql.query("CREATE TABLE IF NOT EXISTS model.rollup_1m_rest PARTITION OF model.rollup_1m DEFAULT");
  await sql.query(
    "INSERT INTO model.signal_set (machine_id, set_no, signals) SELECT id, 1, $2 FROM unnest($1::text[]) id",
    [ids, signals],
  );
  await fillMachines(sql, options, ids, now);
  await fillMetadata(sql, names, ids, now);
  await fillRollups(sql, options, ids, now);
  await fillEntities(sql, options, ids, now);
  await fillAlarms(sql, ids, now);
  await fillLedger(sql, ids, now);
  await sql.query(
    `INSERT INTO app.line (device_id, factory_id, connected, enabled, active_at, reported, seen_at)
     SELECT 'box-' || f, f, n % 4 <> 3, true, $2, jsonb_build_object('version', '1.4.0',
            'condition', CASE WHEN n % 4 = 3 THEN 'cut' WHEN n % 4 = 1 THEN 'catching-up' ELSE 'sending' END,
            'backlog', jsonb_build_object('priorityEvents', 0, 'telemetryEvents', CASE WHEN n % 2 = 1 THEN 41200 + n ELSE 12 END, 'lagSeconds', CASE WHEN n % 2 = 1 THEN 1830 ELSE 3 END),
            'timeToDrainSeconds', CASE WHEN n % 2 = 1 THEN to_jsonb(240) ELSE to_jsonb('none'::text) END,
            'lastError', CASE WHEN n % 4 = 3 THEN jsonb_build_object('code', 'UPLINK_UNREACHABLE', 'message', 'hub.example does not answer on port 8883', 'at', '2026-01-05T05:12:00.000Z') ELSE '{}' END), $2
       FROM unnest($1::text[]) WITH ORDINALITY AS u (f, n)`,
    [names, now],
  );
  await sql.query("ANALYZE");
}

export function signalName(index: number): string {
  return (
    ["electricityUtilization", "machineTemperature", "machinePressure"][index] ?? `s${String(index).padStart(3, "0")}`
  );
}

async function fillMachines(
  sql: Sql,
  { signals }: OfficeDataOptions,
  ids: readonly string[],
  now: Date,
): Promise<void> {
  await sql.query(
    `INSERT INTO model.machine_latest (machine_id, factory_id, device_id, type_name, epoch, seq, event_at, enqueued_at, link_state, link_detail,
            state, state_at, signal_info, set_no, numbers, texts, status_codes, source_ms, received_ms, seqs, key_ms, state_seq, info_seq, links)
     SELECT id, split_part(id, '/', 1), 'box-' || split_part(id, '/', 1), 'type ' || n % 4, 'e1', 1000 + n, $2::timestamptz - n % 7 * interval '1 second', $2,
            CASE WHEN n % 53 = 0 THEN 'disconnected' ELSE 'connected' END, CASE WHEN n % 53 = 0 THEN '10.1.2.3 refuses connections' END,
            CASE n % 10 WHEN 0 THEN 'idle' WHEN 1 THEN 'setup' ELSE CASE WHEN n % 59 = 0 THEN 'fault' ELSE 'running' END END, $2::timestamptz - interval '90 minutes',
            (SELECT jsonb_agg(jsonb_build_object('name', coalesce((ARRAY['electricityUtilization','machineTemperature','machinePressure'])[i], 's' || lpad((i - 1)::text, 3, '0')),
                    'title', coalesce((ARRAY['Electricity utilization','Temperature','Pressure'])[i], 'Signal ' || i), 'unit', coalesce((ARRAY['%','°C','psi'])[i], 'mm/s'), 'key', i <= 3, 'type', 'float64', 'intervalMs', 1000))
               FROM generate_series(1, $3::int) i),
            1, (SELECT array_agg(n * 1000 + i) FROM generate_series(1, $3::int) i), array_fill(NULL::text, ARRAY[$3::int]), array_fill(0::bigint, ARRAY[$3::int]),
            array_fill($4::float8, ARRAY[$3::int]), array_fill($4::float8, ARRAY[$3::int]), array_fill(1::bigint, ARRAY[$3::int]), $4::float8, 1, 1, '{}'
       FROM unnest($1::text[]) WITH ORDINALITY AS u (id, n)`,
    [ids, now, signals, now.getTime() - 800],
  );
}

async function fillMetadata(sql: Sql, names: readonly string[], ids: readonly string[], now: Date): Promise<void> {
  await sql.query(
    `INSERT INTO model.metadata (kind, id, factory_id, machine_id, etag, version, deleted, data, created_at, created_by, changed_at, changed_by)
     SELECT 'factory', f, f, '', 'tag-' || f, 1, false, jsonb_build_object('name', name, 'location', jsonb_build_object('city', name, 'latitude', 47.6, 'longitude', -122.1), 'inServiceSince', '2004-04-01'), $2, 'administrator', $2, 'administrator'
       FROM unnest($1::text[], $3::text[]) AS u (f, name)`,
    [names, now, names.map((_, index) => CITIES[index % CITIES.length])],
  );
  await sql.query(
    `INSERT INTO model.metadata (kind, id, factory_id, machine_id, etag, version, deleted, data, created_at, created_by, changed_at, changed_by)
     SELECT 'machine', id, split_part(id, '/', 1), id, 'tag-' || id, 1, false,
            jsonb_build_object('factoryId', split_part(id, '/', 1), 'name', initcap(replace(split_part(id, '/', 2), '-', ' ')), 'serialNumber', 'SN-' || n), $2, 'administrator', $2, 'administrator'
       FROM unnest($1::text[]) WITH ORDINALITY AS u (id, n) WHERE n % 2 = 0`,
    [ids, now],
  );
}

/** The sum of a signal's minute is 60 readings of a sine of the time, shifted by the signal. */
async function fillRollups(
  sql: Sql,
  { signals, rollupHours, rollupMachines, machines }: OfficeDataOptions,
  ids: readonly string[],
  now: Date,
): Promise<void> {
  const chosen = ids.filter((_, index) => index % machines < rollupMachines);
  for (const [table, column, step, count] of [
    ["rollup_1m", "minute_at", "1 minute", 60],
    ["rollup_1h", "hour_at", "1 hour", 3_600],
  ] as const)
    await sql.query(
      `INSERT INTO model.${table} (machine_id, ${column}, set_no, counts, bad, minima, maxima, sums)
       SELECT id, t, 1, array_fill($4::int, ARRAY[$3::int]), array_fill(0, ARRAY[$3::int]), v.minima, v.maxima, v.sums
         FROM unnest($1::text[]) id
        CROSS JOIN generate_series(date_trunc('hour', $2::timestamptz) - $5::int * interval '1 hour', $2::timestamptz, interval '${step}') t
        CROSS JOIN LATERAL (
          SELECT array_agg(m - 1.37) AS minima, array_agg(m + 1.61) AS maxima, array_agg(m * $4::int) AS sums
            FROM (SELECT 40 + i % 50 + 8 * sin(extract(epoch FROM t) / 7000 + i) + hashtext(id || t || i) % 100 / 100.0 AS m FROM generate_series(1, $3::int) i) x) v`,
      [chosen, now, signals, count, rollupHours],
    );
}

/** One entity a minute: every fifth anomalous; classes by turns. Electricity of anomalous ones is 1.5 times as high. */
async function fillEntities(
  sql: Sql,
  { entities }: OfficeDataOptions,
  ids: readonly string[],
  now: Date,
): Promise<void> {
  const source = `FROM unnest($1::text[]) WITH ORDINALITY AS u (id, n) CROSS JOIN generate_series(1, $3::int) k`;
  const values = [ids, now, entities];
  const at = "$2::timestamptz - k * interval '1 minute'";
  await sql.query(
    `INSERT INTO model.entity_event (machine_id, id, factory_id, entity_type, entity_id, event_type, event_data, event_at, epoch, seq)
     SELECT id, 't' || k, split_part(id, '/', 1), 'MachineTelemetry', id || '#' || k, 'Telemetry Ingest', jsonb_build_object(
            'electricityUtilization', (20 + n % 10 + k % 3) * CASE WHEN k % 5 = 0 THEN 1.5 ELSE 1 END,
            'machineTemperature', 50 + (k * 7 + n) % 40, 'machinePressure', 7400 + (k * 13 + n * 3) % 300), ${at}, 'e1', 5000 - k ${source}`,
    values,
  );
  await sql.query(
    `INSERT INTO model.anomaly (machine_id, id, factory_id, entity_id, event_at, kind, signal, value, score, threshold, expected_low, expected_high, message, model, model_version, scored_by)
     SELECT id, 'a' || k, split_part(id, '/', 1), id || '#' || k, ${at}, CASE WHEN k % 2 = 0 THEN 'spike' ELSE 'dip' END, 'machineTemperature', 88.5, 0.97, 0.9, 52, 58,
            'Temperature 88.5 °C, expected 52 to 58 °C', 'contextual', '1.2.0', 'edge' ${source} WHERE k % 5 = 0`,
    values,
  );
  await sql.query(
    `INSERT INTO model.prediction (machine_id, id, factory_id, entity_id, event_at, requirement, probability, remaining_hours, remaining_hours_low, remaining_hours_high, outside_training, signals, message, model, model_version, scored_by)
     SELECT id, 'p' || k, split_part(id, '/', 1), id || '#' || k, ${at},
            (ARRAY['none', 'tighten the adjustment harness', 'loosen the restrictor plate'])[1 + (n + k) % 3], 0.5 + (n % 50) / 100.0,
            CASE WHEN n % 3 = 0 THEN 10 + n % 200 END, CASE WHEN n % 3 = 0 THEN 5 + n % 200 END, CASE WHEN n % 3 = 0 THEN 20 + n % 200 END, n % 40 = 0,
            '[{"signal": "machinePressure", "value": 7470, "weight": 0.7}]', 'Pressure is low for this temperature', 'maintenance', '2.0.1', 'edge' ${source}`,
    values,
  );
  await sql.query(
    `INSERT INTO model.maintenance_aggregate (machine_id, window_hours, window_at, requirement, factory_id, predictions, outside, first_at, last_at)
     SELECT machine_id, h, date_bin(h * interval '1 hour', event_at, '2000-01-01 00:00:00+00'), requirement, factory_id, count(*), count(*) FILTER (WHERE outside_training), min(event_at), max(event_at)
       FROM model.prediction CROSS JOIN (VALUES (1), (24)) w (h) GROUP BY 1, 2, 3, 4, 5`,
  );
}

async function fillAlarms(sql: Sql, ids: readonly string[], now: Date): Promise<void> {
  await sql.query(
    `INSERT INTO model.alarm (machine_id, alarm_id, factory_id, source, signal, priority, state, message, raised_at, changed_at, acknowledged_by, occurrences, epoch, seq, data, history)
     SELECT id, 'temperature-high-' || k, split_part(id, '/', 1), 'limit', 'machineTemperature', (ARRAY['critical', 'high', 'medium', 'low'])[1 + (n * k) % 4],
            CASE WHEN (n + k) % 37 = 0 THEN 'unacknowledged' WHEN (n + k) % 41 = 0 THEN 'acknowledged' WHEN (n + k) % 43 = 0 THEN 'shelved' ELSE 'normal' END,
            'Temperature above ' || (60 + k) || ' °C', $2::timestamptz - n * interval '17 seconds', $2::timestamptz - n * interval '11 seconds', NULL, k, 'e1', 900, '{}', '[]'
       FROM unnest($1::text[]) WITH ORDINALITY AS u (id, n) CROSS JOIN generate_series(1, 5) k`,
    [ids, now],
  );
}

/** The 30th machine of each hundred lacks ten events, of the 31st two are lost. */
async function fillLedger(sql: Sql, ids: readonly string[], now: Date): Promise<void> {
  await sql.query(
    `INSERT INTO model.ledger_stream (machine_id, epoch, factory_id, numbered, first_seq, last_seq, events, samples, thinned, lost, missing, first_at, last_at)
     SELECT id, 'e1', split_part(id, '/', 1), true, 1, 5000, 5000 - CASE n % 100 WHEN 30 THEN 10 WHEN 31 THEN 2 ELSE 0 END, 500000, 0,
            CASE WHEN n % 100 = 31 THEN 2 ELSE 0 END, CASE WHEN n % 100 = 30 THEN 10 ELSE 0 END, $2::timestamptz - interval '3 days', $2
       FROM unnest($1::text[]) WITH ORDINALITY AS u (id, n)`,
    [ids, now],
  );
  await sql.query(
    `INSERT INTO model.ledger_range (machine_id, epoch, first_seq, last_seq, state, cause)
     SELECT id, 'e1', r.a, r.b, r.state, r.cause FROM unnest($1::text[]) WITH ORDINALITY AS u (id, n)
      CROSS JOIN LATERAL (
        SELECT 1 AS a, 5000 AS b, 'here' AS state, '' AS cause WHERE n % 100 NOT IN (30, 31)
        UNION ALL SELECT 1, 100, 'here', '' WHERE n % 100 IN (30, 31)
        UNION ALL SELECT 111, 5000, 'here', '' WHERE n % 100 = 30
        UNION ALL SELECT 101, 102, 'lost', 'corrupt: a block of the log was damaged' WHERE n % 100 = 31
        UNION ALL SELECT 103, 5000, 'here', '' WHERE n % 100 = 31) r`,
    [ids],
  );
}
