import type { SampleValue } from "../sample.ts";

/** Texts of an event that has more than its number, type and time. */
export interface EventText {
  /** Index of the event in the block. */
  readonly event: number;
  readonly entityId: string | null;
  readonly causedBy: string | null;
  readonly json: string | null;
}

/** All that goes into a block, in the order of the events. */
export interface BlockContent {
  readonly epoch: string;
  readonly machineId: string;
  readonly firstSeq: number;
  readonly offsets: Float64Array;
  readonly timesMs: Float64Array;
  /** Index into EVENT_TYPES; 0 is telemetry. */
  readonly types: Uint32Array;
  /** Of each event, the number of samples before it. */
  readonly firstSample: Uint32Array;
  readonly texts: readonly EventText[];
  readonly signalNames: readonly string[];
  readonly signals: Uint32Array;
  readonly numbers: Float64Array;
  /** What is no number, and the samples (by index, ascending) that it belongs to. */
  readonly others: readonly SampleValue[];
  readonly othersAt: Uint32Array;
  readonly statusCodes: Uint32Array;
  readonly sourceMs: Float64Array;
  readonly serverMs: Float64Array;
  readonly receivedMs: Float64Array;
}
