import { type Static, Type } from "typebox";

export const FAULT_KINDS = [
  "spike",
  "dip",
  "shift",
  "bearing-wear",
  "tool-wear",
  "coolant-leak",
  "stuck",
  "lost",
  "link-down",
  "server-restart",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Longest fault: a week. A fault that nobody ends must not outlive the demo by much. */
export const FAULT_DURATION_MS_MAX = 7 * 24 * 3600 * 1000;
/** More faults than this at once are refused. */
export const FAULTS_ACTIVE_MAX = 200;
/** Ended faults that are kept for GET /faults; the truth file keeps all. */
export const FAULTS_ENDED_MAX = 1000;

export const FaultRequestSchema = Type.Object(
  {
    kind: Type.Union(
      FAULT_KINDS.map((kind) => Type.Literal(kind)),
      { description: "What goes wrong." },
    ),
    machineId: Type.String({
      minLength: 1,
      maxLength: 100,
      description:
        'The machine, "mill-01" or "redmond/mill-01". A link or server fault takes all machines of its line.',
    }),
    signal: Type.Optional(
      Type.String({
        maxLength: 100,
        description: "For spike, dip, shift, stuck, lost; left out, the type's most telling signal.",
      }),
    ),
    durationMs: Type.Number({ minimum: 100, maximum: FAULT_DURATION_MS_MAX, description: "Wall-clock duration." }),
    magnitude: Type.Optional(
      Type.Number({
        minimum: -100,
        maximum: 100,
        description:
          "spike and dip: factor on the value (1.8 and 0.6); shift: share of the instrument's range (0.1); wear and leak: how far it goes at the end, 0 to 1 (bearing 0.8, tool 1 = breaks, leak 1 = empty).",
      }),
    ),
  },
  { additionalProperties: false },
);
type FaultRequestInput = Static<typeof FaultRequestSchema>;
export interface FaultRequest extends Omit<FaultRequestInput, "kind"> {
  readonly kind: FaultKind;
}

/** A fault at a time after the start of the factory. */
export interface ScheduledFault extends FaultRequest {
  readonly afterMs: number;
}

/** The file behind `--schedule`: a JSON list of faults, each with `afterMs`. */
export const ScheduleSchema = Type.Array(
  Type.Object(
    { ...FaultRequestSchema.properties, afterMs: Type.Number({ minimum: 0 }) },
    { additionalProperties: false },
  ),
  { maxItems: 10_000 },
);

/** The truth about one fault, as it is written to the truth file. */
export interface FaultRecord {
  readonly id: number;
  readonly fault: FaultKind;
  /** With the site: "redmond/mill-01", as in the log. */
  readonly machineId: string;
  /** Every signal whose values the fault changes. */
  readonly signals: readonly string[];
  /** UTC epoch ms, on the clock of the samples' source timestamps. */
  readonly startMs: number;
  /** Planned end while it lasts, the true end afterwards. */
  readonly endMs: number;
  readonly params: Readonly<Record<string, number | string | readonly string[]>>;
}

export interface TruthLine extends FaultRecord {
  readonly at: "start" | "end";
}
