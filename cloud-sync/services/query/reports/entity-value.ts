/** event_type of what a machine measured at one time; its data is the value of each signal by its name. */
export const TELEMETRY_INGEST = "Telemetry Ingest";

/**
 * An expression for the number of one signal in a telemetry entity; null when it has none.
 * @param data the column
 * @param signal the parameter, "$3"
 */
export function entityValue(data: string, signal: string): string {
  return `CASE WHEN jsonb_typeof(${data} -> ${signal}::text) = 'number' THEN (${data} ->> ${signal}::text)::float8 END`;
}
