import { MESSAGE_BYTES_MAX } from "./ports.ts";

/** Bounds of the uplink; a test may choose smaller ones. */
export interface UplinkLimits {
  /** Bytes under way at once, over both lanes each. */
  readonly windowBytesMax: number;
  /** Messages of the priority lane under way at once. */
  readonly priorityMessages: number;
  /** How long events of the priority lane wait for company. */
  readonly priorityGatherMs: number;
  /** Events that one read of the log gives at most. */
  readonly readEventsMax: number;
  /** Readings that are encoded in one go. */
  readonly encodeSamplesMax: number;
  /** Bytes of blocks that one read of the log gives at most. */
  readonly sliceBytes: number;
  /** Telemetry that has waited longer is backlog: what is newer goes on beside it. */
  readonly staleAfterMs: number;
  /** Newest events that count as fresh when the line comes back. */
  readonly freshEvents: number;
  /** Newest events that are not telemetry which go before an older backlog. */
  readonly newestFirstEvents: number;
}

export const UPLINK_LIMITS: UplinkLimits = {
  windowBytesMax: 4 * 1024 * 1024,
  priorityMessages: 4,
  priorityGatherMs: 200,
  readEventsMax: 1_000,
  encodeSamplesMax: 300_000,
  sliceBytes: 1024 * 1024,
  staleAfterMs: 30_000,
  freshEvents: 300,
  newestFirstEvents: 2_000,
};

/** What a body may have: the rest is for the message's properties. */
export const BODY_BYTES_MAX = MESSAGE_BYTES_MAX - 1024;
