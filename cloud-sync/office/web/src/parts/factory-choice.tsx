import type { MetadataPage } from "../../../../services/query/metadata/schema.ts";
import { useData } from "../data/use-data.ts";
import { nameOf } from "./filters.tsx";

/** One that was added a moment ago is to be chosen from. */
const EVERY_MS = 1_500;

interface FactoryChoiceProps {
  readonly id: string;
  readonly disabled: boolean;
  readonly required: boolean;
  readonly value: string;
  readonly onChange: (factoryId: string) => void;
}

/** Of the factories that somebody has added. */
export function FactoryChoice({ value, onChange, ...shared }: FactoryChoiceProps) {
  const { data } = useData<MetadataPage>("/api/query/metadata", { kind: "factory", limit: 500 }, EVERY_MS);
  const rows = data?.rows ?? [];
  return (
    <select {...shared} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      <option value="" />
      {value !== "" && !rows.some(({ id }) => id === value) && <option value={value}>{value}</option>}
      {rows.map(({ id, data: factory }) => (
        <option key={id} value={id}>
          {nameOf(factory, id)}
        </option>
      ))}
    </select>
  );
}
