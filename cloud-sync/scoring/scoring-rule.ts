/** What is scored of a machine. */
export interface ScoringRule {
  /** Machine types it is for; left out: every machine, also one whose type is unknown. */
  readonly types?: readonly string[];
  /** The machine's signal for each input of the maintenance model; left out: no maintenance scoring. */
  readonly maintenance?: Readonly<Record<string, string>>;
  /** Signals watched for spikes, dips and changes of level. */
  readonly anomalies: readonly string[];
  /**
   * How far apart predictions are while the requirement stays: the first of each such span of event time is told, spans aligned to UTC.
   * 0: each event is told.
   */
  readonly everyMs: number;
  /** The same for devices of another make, whose factory has nothing else that looks at their readings. */
  readonly foreignEveryMs: number;
  /** A requirement that changes is told at once, but not sooner after the prediction before than this. */
  readonly changeAfterMs: number;
}

/** What may be left out of a rule. */
export type ScoringRuleWish = Partial<ScoringRule>;

const PRESS_INPUTS = { machinePressure: "machinePressure", machineTemperature: "machineTemperature" } as const;

/** A stamping press by the names that the lab's devices and our own edges use; of other machines these signals do not exist. */
export const DEFAULT_RULE: ScoringRule = {
  maintenance: PRESS_INPUTS,
  anomalies: ["machinePressure", "machineTemperature"],
  everyMs: 60_000,
  foreignEveryMs: 0,
  changeAfterMs: 5_000,
};

/** Rules with their defaults filled in, the default rule last. */
export function scoringRules(wishes: readonly ScoringRuleWish[] = []): readonly ScoringRule[] {
  return [...wishes.map((wish) => ({ ...DEFAULT_RULE, ...wish })), DEFAULT_RULE];
}

/** The first that is for machines of this type. */
export function ruleFor(rules: readonly ScoringRule[], typeName: string | undefined): ScoringRule {
  const found = rules.find(({ types }) => types === undefined || (typeName !== undefined && types.includes(typeName)));
  return found ?? DEFAULT_RULE;
}

/** Signals that a rule needs. */
export function signalsOf({ maintenance, anomalies }: ScoringRule): readonly string[] {
  return [...new Set([...Object.values(maintenance ?? {}), ...anomalies])];
}
