export interface Threshold {
  readonly signal: string;
  readonly atLeast?: number | null;
  readonly above?: number | null;
  readonly atMost?: number | null;
  readonly below?: number | null;
  readonly unit?: string | null;
}

const LIMITS = [
  ["atLeast", "≥"],
  ["above", ">"],
  ["atMost", "≤"],
  ["below", "<"],
] as const;
const ROWS_MAX = 50;

interface ThresholdsProps {
  readonly id: string;
  readonly isLocked: boolean;
  readonly value: readonly Threshold[];
  readonly onChange: (value: readonly Threshold[]) => void;
}

/** Limits of signals, a row each. */
export function Thresholds({ id, isLocked, value, onChange }: ThresholdsProps) {
  const change = (index: number, part: Partial<Threshold>): void =>
    onChange(value.map((each, at) => (at === index ? { ...each, ...part } : each)));
  return (
    <div class="thresholds" id={id}>
      {value.map((each, index) => (
        <fieldset key={index} disabled={isLocked} aria-label={`Threshold ${index + 1}`}>
          <input
            type="text"
            aria-label="Signal"
            placeholder="signal"
            required
            maxLength={200}
            value={each.signal}
            onInput={(event) => change(index, { signal: event.currentTarget.value })}
          />
          {LIMITS.map(([name, sign]) => (
            <label key={name}>
              {sign}
              <input
                type="number"
                step="any"
                aria-label={name}
                value={each[name] ?? ""}
                onInput={(event) =>
                  change(index, { [name]: event.currentTarget.value === "" ? null : event.currentTarget.valueAsNumber })
                }
              />
            </label>
          ))}
          <button
            type="button"
            class="plain"
            aria-label={`Take threshold ${index + 1} away`}
            onClick={() => onChange(value.filter((_, at) => at !== index))}
          >
            ×
          </button>
        </fieldset>
      ))}
      {!isLocked && value.length < ROWS_MAX && (
        <button type="button" class="plain" onClick={() => onChange([...value, { signal: "" }])}>
          Add a threshold
        </button>
      )}
    </div>
  );
}
