import { useState } from "preact/hooks";
import type { MachineDetail, MachinePage } from "../../../../services/query/machines/schema.ts";
import { isSame, SERIES_MAX, type SeriesKey } from "../data/chosen.ts";
import { useData } from "../data/use-data.ts";
import { FactoryFilter, Search } from "./filters.tsx";

const SIGNALS_SHOWN_MAX = 200;

interface SeriesPickerProps {
  readonly chosen: readonly SeriesKey[];
  readonly onToggle: (key: SeriesKey) => void;
}

/** A machine of any factory, then its signals. */
export function SeriesPicker({ chosen, onToggle }: SeriesPickerProps) {
  const [factory, setFactory] = useState("");
  const [text, setText] = useState("");
  const [machineId, setMachineId] = useState<string | null>(null);
  const [filter, setFilter] = useState("");
  const machines = useData<MachinePage>("/api/query/machines", { factory, text, order: "name", limit: 50 });
  const rows = machines.data?.rows ?? [];
  const open = machineId ?? rows[0]?.machineId ?? null;
  const machine = useData<MachineDetail>(open === null ? null : "/api/query/machine", { id: open ?? "" });
  const wanted = filter.trim().toLowerCase();
  const signals = (machine.data?.signals ?? []).filter(
    ({ name, title, value }) =>
      (typeof value === "number" || typeof value === "boolean" || value === null) &&
      `${title} ${name}`.toLowerCase().includes(wanted),
  );
  return (
    <div class="picker">
      <div>
        <div class="filters">
          <FactoryFilter value={factory} onChange={setFactory} />
          <Search label="Machine" value={text} onChange={setText} />
        </div>
        <ul class="picks" aria-label="Machines">
          {rows.map((row) => (
            <li key={row.machineId}>
              <button
                type="button"
                class="pick-one"
                aria-pressed={row.machineId === open}
                onClick={() => setMachineId(row.machineId)}
                title={row.machineId}
              >
                {row.name}
                <small>{row.factoryId}</small>
              </button>
            </li>
          ))}
          {rows.length === 0 && !machines.isLoading && (
            <li class="empty">{text === "" ? "No machine yet." : "No machine is called so."}</li>
          )}
        </ul>
      </div>
      <div>
        <div class="filters">
          <Search label="Signal" value={filter} onChange={setFilter} />
        </div>
        <ul class="picks" aria-label="Signals">
          {signals.slice(0, SIGNALS_SHOWN_MAX).map(({ name, title, unit }) => {
            const key = { machineId: open ?? "", signal: name };
            const isOn = chosen.some((each) => isSame(each, key));
            return (
              <li key={name}>
                <label class="pick-one">
                  <input
                    type="checkbox"
                    checked={isOn}
                    disabled={!isOn && chosen.length >= SERIES_MAX}
                    onChange={() => onToggle(key)}
                  />
                  <span>{title}</span>
                  <small class="unit-of">{unit}</small>
                </label>
              </li>
            );
          })}
          {signals.length === 0 && !machine.isLoading && (
            <li class="empty">{open === null ? "Choose a machine first." : "No signal with numbers is called so."}</li>
          )}
          {signals.length > SIGNALS_SHOWN_MAX && <li class="muted">More: narrow them by the search.</li>}
        </ul>
      </div>
    </div>
  );
}
