import type { DecodedBlock } from "../contract/block/decoded-block.ts";
import type { StoredEvent } from "../contract/event.ts";
import type { RollupPart } from "../contract/frame/rollup-part.ts";
import type { Origin } from "../store/write-telemetry.ts";

/** What a message holds, taken apart for the store; `message` tells which one of those that are written together. */
export type Arrival = RunArrival | EventsArrival | RollupArrival | ForeignArrival;

/** A run of one machine's events. */
export interface RunArrival {
  readonly kind: "run";
  readonly message: number;
  readonly origin: Origin;
  readonly block: DecodedBlock;
  /** The block as it is stored; undefined when it is to be encoded: fresh events out of a bundle. */
  readonly bytes: Uint8Array | undefined;
}

/** Single events of one stream. */
export interface EventsArrival {
  readonly kind: "events";
  readonly message: number;
  readonly origin: Origin;
  /** seq ascending, each once. */
  readonly events: readonly StoredEvent[];
}

export interface RollupArrival {
  readonly kind: "rollup";
  readonly message: number;
  readonly origin: Origin;
  readonly rollup: RollupPart;
}

/** Events of one machine by a device of another make: numbered by the hub, so the same message gives the same document. */
export interface ForeignArrival {
  readonly kind: "foreign";
  readonly message: number;
  readonly origin: Origin;
  readonly events: readonly StoredEvent[];
}

/** Why a message, or a part of it, can't be stored, ever. */
export interface Refusal {
  readonly message: number;
  readonly code: RefusalCode;
  readonly reason: string;
}
export type RefusalCode =
  /** As of FrameError: the bytes are damaged, of a newer version, contradict themselves, or hold too much. */
  | "truncated"
  | "checksum"
  | "version"
  | "malformed"
  | "limit"
  /** A content type that nobody here reads. */
  | "content-type"
  /** JSON in which nothing is a reading of a machine. */
  | "foreign"
  /** A name that can't be one: empty, too long, with characters that no store takes. */
  | "name"
  /** A time that can't be true. */
  | "time"
  /** The store refuses it while it takes others. */
  | "store";

/** Thrown while a message is taken apart. */
export class RefusalError extends Error {
  override readonly name = "RefusalError";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The factory of a machine: what stands before the first slash of "redmond/mill-07"; "" when there is none. */
export function factoryOf(machineId: string): string {
  const slash = machineId.indexOf("/");
  return slash < 0 ? "" : machineId.slice(0, slash);
}
