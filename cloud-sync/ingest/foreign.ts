import type { StoredEvent, TelemetrySample } from "../contract/event.ts";
import type { SampleValue } from "../contract/sample.ts";
import { foreignEntityId } from "../store/foreign-entity-id.ts";
import { FOREIGN_EPOCH_PREFIX } from "../store/telemetry-document.ts";
import { RefusalError } from "./arrival.ts";
import { checkName, checkTime, NAME_CHARACTERS_MAX } from "./plausible.ts";

/** Readings in one message at most, and so the step of seq from one message of a hub's partition to the next. */
export const FOREIGN_EVENTS_MAX = 1024;
const VALUES_MAX = 4096;

const MACHINE_KEYS = ["machineId", "machineid", "machine_id", "machine", "deviceId", "device_id"] as const;
const FACTORY_KEYS = ["factoryId", "factoryid", "factory_id", "factory", "site"] as const;
const TIME_KEYS = ["timeCreated", "time", "timestamp", "ts"] as const;
const NOT_VALUES: ReadonlySet<string> = new Set([...MACHINE_KEYS, ...FACTORY_KEYS, ...TIME_KEYS, "id"]);

/** A message of a device of another make, where the hub put it. */
export interface ForeignPlace {
  /** Names the hub as long as it is the same one: its sequence numbers begin anew when it is made anew. */
  readonly hubKey: string;
  readonly partition: string;
  readonly sequenceNumber: number;
  readonly enqueuedMs: number;
}

/** seq is the hub's sequence number times FOREIGN_EVENTS_MAX, plus the place of the reading in its message. */
export function foreignEpoch({ hubKey, partition }: Pick<ForeignPlace, "hubKey" | "partition">): string {
  return `${FOREIGN_EPOCH_PREFIX}${hubKey}/${partition}`;
}

/** The readings of a message: an object, or an array of such. @throws RefusalError foreign, limit */
export function foreignReadings(json: unknown): readonly unknown[] {
  const readings: readonly unknown[] = Array.isArray(json) ? json : [json];
  if (readings.length === 0) throw new RefusalError("foreign", "an empty array");
  if (readings.length > FOREIGN_EVENTS_MAX)
    throw new RefusalError("limit", `${readings.length} readings in a message; ${FOREIGN_EVENTS_MAX} are allowed`);
  return readings;
}

/**
 * What a machine measured, in plain JSON: the lab's shape, {factoryId, machine: {machineId, temperature, pressure,
 * electricityUtilization}, ambient: {temperature, humidity}, timeCreated}; or any flat object with a machine id and numbers. It becomes
 * an event of type telemetry, always the same one.
 * @param at its place in the message
 * @throws RefusalError foreign, name, time, limit
 */
export function foreignEvent(json: unknown, at: number, place: ForeignPlace): StoredEvent {
  const reading = objectOf(json);
  if (reading === undefined) throw new RefusalError("foreign", "JSON that is no object");
  const isLab = objectOf(reading.machine) !== undefined;
  const { machineId, values } = isLab ? labReading(reading) : flatReading(reading);
  checkName("machine id", machineId);
  const epoch = foreignEpoch(place);
  const seq = place.sequenceNumber * FOREIGN_EVENTS_MAX + at;
  const sourceMs = timeIn(reading);
  const timeMs = sourceMs ?? place.enqueuedMs;
  checkTime(timeMs, place.enqueuedMs);
  if (values.length === 0) throw new RefusalError("foreign", "no number in it is a reading of a machine");
  if (values.length > VALUES_MAX) throw new RefusalError("limit", `${values.length} values; ${VALUES_MAX} are allowed`);
  const samples = values.map(([signal, value]): TelemetrySample => {
    checkName("signal", signal, NAME_CHARACTERS_MAX, 0);
    // Nobody received it at the factory: the hub did, and views by time want what was measured then.
    return {
      signal,
      value,
      statusCode: 0,
      sourceTimestampMs: sourceMs ?? null,
      serverTimestampMs: place.enqueuedMs,
      receivedTimestampMs: timeMs,
    };
  });
  return {
    epoch,
    machineId,
    seq,
    offset: seq,
    type: "telemetry",
    timeMs,
    entityId: foreignEntityId(epoch, machineId, seq),
    data: { samples },
  };
}

interface Reading {
  readonly machineId: string;
  readonly values: readonly (readonly [signal: string, value: SampleValue])[];
}

/** Temperature in °C, pressure in psi, electricity utilization and humidity in per cent. */
function labReading(reading: Readonly<Record<string, unknown>>): Reading {
  const machine = objectOf(reading.machine) ?? {};
  const ambient = objectOf(reading.ambient) ?? {};
  const candidates: readonly (readonly [string, unknown])[] = [
    ["machineTemperature", machine.temperature],
    ["machinePressure", machine.pressure],
    ["electricityUtilization", machine.electricityUtilization],
    ["ambientTemperature", ambient.temperature],
    ["ambientHumidity", ambient.humidity],
  ];
  const values = candidates.filter((entry): entry is [string, number] => isNumber(entry[1]));
  return { machineId: machineIdOf(reading, machine), values };
}

function flatReading(reading: Readonly<Record<string, unknown>>): Reading {
  const entries = Object.entries(reading).filter(([key]) => !NOT_VALUES.has(key));
  const nested = entries.find(([, value]) => typeof value === "object" && value !== null);
  if (nested !== undefined)
    throw new RefusalError("foreign", `JSON of an unknown shape: ${nested[0].slice(0, 60)} is no plain value`);
  const hasNumber = entries.some(([, value]) => isNumber(value));
  return { machineId: machineIdOf(reading, reading), values: hasNumber ? (entries as [string, SampleValue][]) : [] };
}

function machineIdOf(reading: Readonly<Record<string, unknown>>, machine: Readonly<Record<string, unknown>>): string {
  const id = firstText(machine, MACHINE_KEYS);
  if (id === undefined) throw new RefusalError("foreign", "JSON that names no machine");
  const factory = firstText(reading, FACTORY_KEYS);
  return factory === undefined || factory === "" ? id : `${factory}/${id}`;
}

function firstText(object: Readonly<Record<string, unknown>>, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = object[key];
    if (typeof value === "string" || isNumber(value)) return String(value);
  }
  return undefined;
}

/** ISO 8601, or a number of seconds or milliseconds since 1970. @throws RefusalError time when there is one that is neither */
function timeIn(reading: Readonly<Record<string, unknown>>): number | undefined {
  const key = TIME_KEYS.find((name) => reading[name] !== undefined && reading[name] !== null);
  if (key === undefined) return undefined;
  const value = reading[key];
  const timeMs = typeof value === "string" ? Date.parse(value) : isNumber(value) ? epochMs(value) : Number.NaN;
  if (!Number.isFinite(timeMs)) throw new RefusalError("time", `${key} is no time: ${String(value).slice(0, 60)}`);
  return timeMs;
}

/** Seconds until the year 5138, which as milliseconds are the first days of 1973. */
function epochMs(value: number): number {
  return Math.abs(value) < 1e11 ? value * 1000 : value;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function objectOf(json: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  return json as Readonly<Record<string, unknown>>;
}
