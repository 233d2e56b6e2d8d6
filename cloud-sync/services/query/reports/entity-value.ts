/** event_type of what a machine measured at one time; its data is that of the event: samples with signal, value and statusCode. */
export const TELEMETRY_INGEST = "Telemetry Ingest";

/** Status codes from here on are Bad (OPC UA, the two top bits). */
const BAD_FROM = 0x8000_0000;

/**
 * An expression for the usable number of one signal in a telemetry entity; null when it has none.
 * @param data the column
 * @param signal the parameter, "$3"
 */
export function entityValue(data: string, signal: string): string {
  const found = `jsonb_path_query_first(${data}, '$.samples[*] ? (@.signal == $signal && @.value.type() == "number" && @.statusCode < ${BAD_FROM}).value', jsonb_build_object('signal', ${signal}::text))`;
  return `(${found})::float8`;
}
