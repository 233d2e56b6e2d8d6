import type { EdgeError } from "../../edge/kernel/errors.ts";
import type { JsonObject, JsonValue } from "../contract/event.ts";

/**
 * What the parts of the uplink are to each other. The engine (lanes, packing, window, budget) knows no SDK; the link
 * (link/) knows no log; commands (commands/) know neither. Status and dead letters stand in a small SQLite file of the
 * uplink's own (state/), which the dashboard and the CLI read from their processes.
 */

/** priority: everything but telemetry, seconds after it happens. telemetry: every event, in the order of offsets. */
export const LANES = ["priority", "telemetry"] as const;
export type Lane = (typeof LANES)[number];

/** Cursors in the event log, by lane. `cursor:telemetry` is what the log's `forwardedBy` is told. */
export const CURSOR_BY_LANE: Readonly<Record<Lane, string>> = {
  priority: "uplink.priority",
  telemetry: "uplink.telemetry",
};

/** One message to the hub. */
export interface Outgoing {
  /** Of the content alone, so that what is sent again after a crash is known again: hub message id. */
  readonly id: string;
  readonly lane: Lane;
  readonly body: Buffer;
  readonly contentType: string;
  readonly contentEncoding?: string;
  /** Application properties: ASCII names and values. */
  readonly properties: Readonly<Record<string, string>>;
}

/** What IoT Hub allows a message, body and properties together. */
export const MESSAGE_BYTES_MAX = 256 * 1024;
/** What IoT Hub meters by. */
export const UNIT_BYTES = 4096;

export interface HubConnector {
  /** For people: "hub.azure-devices.net as device box-7 (SAS)". */
  readonly description: string;
  /**
   * One attempt, within the signal. A new client each time; nothing of the one before is used again.
   * @throws EdgeError UPLINK_UNREACHABLE, UPLINK_CERTIFICATE, UPLINK_IDENTITY, UPLINK_CLOCK, UPLINK_THROTTLED, UPLINK_QUOTA,
   * UPLINK_CONFIG
   */
  connect(signal: AbortSignal): Promise<HubSession>;
  /** Cheap: whether somebody at the hub's address speaks TLS; nothing is proved, and no credentials are used. */
  probe(signal: AbortSignal): Promise<boolean>;
}

/** One connection, from its opening to its loss; the one after it is another object. */
export interface HubSession extends AsyncDisposable {
  /**
   * Resolves when the hub has acknowledged. Any number may be under way; acknowledgements come in any order.
   * @throws EdgeError UPLINK_REFUSED (never: this message cannot go, ever), UPLINK_THROTTLED, UPLINK_QUOTA (backoff),
   * UPLINK_LOST (reconnect)
   */
  send(message: Outgoing): Promise<void>;
  /** Merge patch of the reported properties. @throws EdgeError UPLINK_LOST, UPLINK_REFUSED, UPLINK_UNREACHABLE (no answer) */
  report(patch: JsonObject): Promise<void>;
  /** Resolves with why, when the connection is lost or given up; never rejects. */
  readonly lost: Promise<EdgeError>;
}

/** What the link hands in; set before `connect`, called for every session anew. */
export interface HubRequests {
  /** A direct method (or a cloud-to-device message with {"method", "payload"} as its body). */
  command(request: {
    readonly name: string;
    readonly payload: JsonValue;
    readonly via: "method" | "message";
    readonly messageId?: string;
  }): Promise<{ readonly status: number; readonly payload: JsonValue }>;
  /** The full desired properties after each connection, with $version; patches after that, merged into the full ones. */
  desired(properties: JsonObject): void;
}

/** The uplink as the status line, the dashboard's panel and /metrics show it; a snapshot of one moment, plain data. */
export interface UplinkStatus {
  readonly updatedMs: number;
  /** connecting: an attempt runs. waiting: between attempts. refused: the hub answers but does not let us in. */
  readonly state: "connecting" | "connected" | "waiting" | "refused" | "stopped";
  /**
   * Since when the line is up; without a line, since when it has been down, over all attempts and waits between them;
   * of refused and stopped, since that came about.
   */
  readonly sinceMs: number;
  readonly hub: string;
  readonly lastError: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly atMs: number;
  } | null;
  readonly lastAckMs: number | null;
  readonly lanes: Readonly<Record<Lane, LaneStatus>>;
  readonly inFlight: number;
  /** Limit in force; null: none. */
  readonly bytesPerSecondMax: number | null;
  /** How long live events are gathered now, between latencyMs and latencyMsMax, to keep the budget. */
  readonly gatherMs: number;
  /** Of the UTC day. */
  readonly today: Traffic & { readonly unitsMax: number | null };
  /** Of the last full hour that the uplink ran, live frames only: what a bill is extrapolated from. Null before. */
  readonly recent: (Traffic & { readonly samples: number; readonly spanMs: number }) | null;
  readonly deadLetters: number;
}

export interface Traffic {
  readonly messages: number;
  readonly units: number;
  readonly bytes: number;
}

export interface LaneStatus {
  /** All up to here is acknowledged. */
  readonly offset: number;
  /** Events that wait. */
  readonly backlogEvents: number;
  /** Age of the oldest event that waits; 0 when none does. */
  readonly lagMs: number;
  /** Over the last ten seconds. */
  readonly eventsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Until nothing waits, at the present rate; null when it does not shrink or nothing waits. */
  readonly drainMs: number | null;
  /** Acknowledged since this uplink began; left out by an earlier version. */
  readonly total?: Traffic & { readonly events: number };
}

export interface DeadLetter {
  readonly id: number;
  readonly messageId: string;
  readonly lane: Lane;
  readonly atMs: number;
  readonly code: string;
  readonly reason: string;
  readonly bytes: number;
  /** "redmond/mill-01 12–40", one for each stretch inside. */
  readonly contents: readonly string[];
  readonly attempts: number;
}
