import { DEFAULTS } from "./defaults.ts";
import type { SignalBase } from "./model.ts";
import { isName, NAME_HINT } from "./names.ts";
import type { ConfigPath, Findings } from "./problem.ts";
import type { SignalFile, SignalKeys } from "./schema.ts";
import { substitute, type Variables } from "./template.ts";
import { nearestUnit, unitOf } from "./units.ts";

/** One signal of the file on its way to one machine. */
export interface SignalSource {
  /** The key in the file, before variables are replaced. */
  readonly name: string;
  readonly written: SignalFile;
  readonly defaults: SignalKeys;
  readonly path: ConfigPath;
}

export interface SignalContext {
  readonly findings: Findings;
  readonly ownUnits: readonly string[];
  readonly machineName: string;
  readonly machinePath: ConfigPath;
  readonly variables: Variables;
  /** True when a machine type without machines is checked: then a variable without a value is no mistake. */
  readonly isTrial: boolean;
}

/** The keys written at the signal itself, without defaults. */
export function ownKeysOf(source: SignalSource): SignalKeys {
  return typeof source.written === "string" ? { node: source.written } : source.written;
}

/** `text` with its variables replaced, or undefined when one has no value (which is then reported, or was a trial). */
export function filled(context: SignalContext, text: string, usedAt: ConfigPath): string | undefined {
  const { text: result, missing } = substitute(text, context.variables);
  if (missing.length === 0) return result;
  if (context.isTrial) return undefined;
  for (const name of missing) {
    context.findings.problem(
      context.machinePath,
      `variable \${${name}} has no value for machine '${context.machineName}'; ${usedAt.join(".")} uses it`,
      `add it to the machine: with: { ${name}: … }`,
      "key",
    );
  }
  return undefined;
}

/** Name, unit, title and key; undefined when the name is unusable. */
export function signalBase(context: SignalContext, source: SignalSource): SignalBase | undefined {
  const { findings } = context;
  const keys = ownKeysOf(source);
  const name = filled(context, source.name, source.path);
  if (name === undefined) return undefined;
  if (!isName(name)) {
    findings.problem(source.path, `'${name}' is not a signal's name`, NAME_HINT, "key");
    return undefined;
  }
  const title = keys.title ?? source.defaults.title;
  return {
    name,
    unit: checkedUnit(context, keys.unit ?? source.defaults.unit ?? DEFAULTS.signal.unit, [...source.path, "unit"]),
    title: title === undefined ? name : (filled(context, title, [...source.path, "title"]) ?? title),
    key: keys.key ?? source.defaults.key ?? DEFAULTS.signal.key,
  };
}

/** The unit's symbol as the table of units spells it. */
export function checkedUnit({ findings, ownUnits }: SignalContext, unit: string, path: ConfigPath): string {
  if (unit === "" || ownUnits.includes(unit)) return unit;
  const known = unitOf(unit);
  if (known !== undefined) return known.symbol;
  const meant = nearestUnit(unit, ownUnits);
  findings.problem(
    path,
    `unit '${unit}' is not known${meant === undefined ? "" : `; did you mean ${meant}?`}`,
    "write a known symbol, or add your own at the top of the file: units: [widgets]",
  );
  return unit;
}

/** Reports keys that belong to the other protocol. */
export function refuseKeys(
  { findings }: SignalContext,
  keys: SignalKeys,
  path: ConfigPath,
  foreign: readonly (keyof SignalKeys)[],
  protocolName: string,
  otherName: string,
): void {
  for (const key of foreign) {
    if (keys[key] === undefined) continue;
    findings.problem(
      [...path, key],
      `'${key}' is a key of ${otherName} signals, but this signal is read over ${protocolName}`,
      "remove the key, or check the protocol of the machine type and the machine's address",
      "key",
    );
  }
}

/** Factor and offset of a value that is a number; other types have none. */
export function scaling(
  { findings }: SignalContext,
  source: SignalSource,
  type: string | null,
  isNumeric: boolean,
): { scale: number; offset: number } {
  const keys = ownKeysOf(source);
  for (const key of ["scale", "offset"] as const) {
    if (!isNumeric && keys[key] !== undefined) {
      findings.problem(
        [...source.path, key],
        `'${key}' needs a number, but the signal's type is ${type}`,
        `remove ${key}, or correct the type`,
        "key",
      );
    }
  }
  const scale = keys.scale ?? source.defaults.scale ?? DEFAULTS.signal.scale;
  if (scale === 0) {
    findings.problem(
      [...source.path, "scale"],
      "scale is 0, so every value would be the offset",
      "write the factor from the raw value to the unit, such as 0.1",
    );
  }
  return isNumeric
    ? { scale, offset: keys.offset ?? source.defaults.offset ?? DEFAULTS.signal.offset }
    : { scale: 1, offset: 0 };
}
