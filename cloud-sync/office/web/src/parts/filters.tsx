import { useEffect, useRef, useState } from "preact/hooks";
import type { MetadataPage } from "../../../../services/query/metadata/schema.ts";
import type { Overview } from "../../../../services/query/overview/schema.ts";
import { useData } from "../data/use-data.ts";

const TYPING_MS = 250;

/** Factories by name; those that have sent something and those that somebody has added. */
export function FactoryFilter({ value, onChange }: { value: string; onChange: (factoryId: string) => void }) {
  const { data } = useData<Overview>("/api/query/overview");
  const factories = data?.factories ?? [];
  const isKnown = value === "" || factories.some(({ factoryId }) => factoryId === value);
  return (
    <select aria-label="Factory" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      <option value="">All factories</option>
      {!isKnown && <option value={value}>{value}</option>}
      {factories.map(({ factoryId, name }) => (
        <option key={factoryId} value={factoryId}>
          {name}
        </option>
      ))}
    </select>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly (readonly [value: T, title: string])[];
  readonly onChange: (value: T) => void;
}

export function Segments<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  return (
    <fieldset class="segments" aria-label={label}>
      {choices.map(([each, title]) => (
        <button type="button" key={each} aria-pressed={each === value} onClick={() => onChange(each)}>
          {title}
        </button>
      ))}
    </fieldset>
  );
}

export function Choice<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
      {choices.map(([each, title]) => (
        <option key={each} value={each}>
          {title}
        </option>
      ))}
    </select>
  );
}

/** A search that asks when somebody has stopped typing. */
export function Search({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value);
  const tell = useRef(onChange);
  tell.current = onChange;
  useEffect(() => {
    if (text === value) return;
    const timer = window.setTimeout(() => tell.current(text), TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [text, value]);
  return (
    <input
      type="search"
      placeholder={label}
      aria-label={label}
      value={text}
      maxLength={200}
      onInput={(event) => setText(event.currentTarget.value)}
    />
  );
}

/** Titles of what metadata calls by id. */
export function nameOf(data: MetadataPage["rows"][number]["data"], fallback: string): string {
  const name = typeof data === "object" && data !== null && "name" in data ? data.name : undefined;
  return typeof name === "string" && name !== "" ? name : fallback;
}
