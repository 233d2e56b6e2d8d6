import type { Sample } from "./sample.ts";

/**
 * The event envelope: the one thing that edge and cloud share. `(epoch, machineId, seq)` is an event's identity,
 * everywhere and for ever. Order within a machine is `seq`; nothing is ordered by a clock.
 */
export const EVENT_TYPES = [
  "telemetry",
  "anomaly",
  "prediction",
  "aggregate",
  "alarm",
  "state",
  "connection",
  "command",
  "config",
  "job",
  "gap",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** A sample inside a telemetry event, whose machine is the event's. */
export type TelemetrySample = Omit<Sample, "machineId">;

export type LinkState = "disconnected" | "connecting" | "connected" | "degraded";

export interface ConnectionData {
  readonly connectionId: string;
  /** iothub: the line to the cloud, connectionId "uplink". */
  readonly protocol: "opcua" | "modbus" | "iothub";
  readonly address: string;
  readonly state: LinkState;
  readonly detail: string;
  /** The technician's hint, when something is wrong. */
  readonly hint: string | null;
  readonly machineIds: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
  readonly problems: readonly {
    machineId: string;
    signal: string;
    statusCode: number;
    message: string;
    hint: string;
  }[];
}

export interface SignalInfo {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly key: boolean;
  readonly type: string | null;
  /** Milliseconds between two readings as configured; a value much older than this is stale. */
  readonly intervalMs: number;
  /** A subscribed signal may keep its value for hours without a sample. Left out: opcua subscribes, modbus polls. */
  readonly mode?: "subscribe" | "poll";
}

export type ConfigData =
  /** Of stream "<site>/edge": a configuration was applied or refused. */
  | {
      readonly kind: "applied" | "refused";
      readonly path: string;
      readonly sha256: string;
      readonly problems: readonly string[];
      readonly changes: readonly string[];
    }
  /** Of a machine's stream: its signals from here on. */
  | {
      readonly kind: "machine";
      readonly typeName: string;
      readonly connectionId: string;
      readonly signals: readonly SignalInfo[];
    }
  /** Of a machine's stream: no longer in the configuration; its history stays. */
  | { readonly kind: "removed" };

/** What was lost, exactly. */
export interface GapData {
  /**
   * overflow: memory was full while the disk refused. driver-overflow: a driver's own bound. shed: the log's quota.
   * expired: older than the log keeps. corrupt: damaged on the disk.
   */
  readonly cause: "overflow" | "driver-overflow" | "shed" | "expired" | "corrupt";
  /** Readings that are gone. */
  readonly samples: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly detail: string;
  /** Events of the stream that are gone, by seq, both included; left out when they never got one. */
  readonly firstSeq?: number;
  readonly lastSeq?: number;
  /** Names of the signals concerned; left out when nobody can tell. */
  readonly signals?: readonly string[];
  /** Whether one-minute aggregates of the readings are still here. */
  readonly aggregates?: boolean;
}

export interface DataByType {
  readonly telemetry: { readonly samples: readonly TelemetrySample[] };
  readonly connection: ConnectionData;
  readonly config: ConfigData;
  readonly gap: GapData;
  readonly anomaly: JsonObject;
  readonly prediction: JsonObject;
  readonly aggregate: JsonObject;
  readonly alarm: JsonObject;
  readonly state: JsonObject;
  readonly command: JsonObject;
  readonly job: JsonObject;
}
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/** What a producer hands to the log; epoch, seq and offset are the log's to give. */
export type NewEvent = {
  [T in EventType]: {
    readonly type: T;
    readonly machineId: string;
    /** When it was measured or happened, UTC epoch ms; of a derived event the time of the measurement, not of the processing. */
    readonly timeMs: number;
    /** Kept from the event that this one derives from; left out, the log assigns one. */
    readonly entityId?: string;
    /** Identity (`epoch/machineId/seq`) of the event that caused this one. */
    readonly causedBy?: string;
    readonly data: DataByType[T];
  };
}[EventType];

export type StoredEvent = NewEvent & {
  readonly epoch: string;
  readonly seq: number;
  readonly offset: number;
  readonly entityId: string;
};

/** The stream of what concerns the box rather than one machine: "<site>/edge". */
export function edgeStreamOf(site: string): string {
  return `${site}/edge`;
}
