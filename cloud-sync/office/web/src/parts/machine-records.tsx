import { useMemo, useReducer, useState } from "preact/hooks";
import type { MetadataPage, MetadataView } from "../../../../services/query/metadata/schema.ts";
import { type Data, type Tagged, valueAt } from "../data/entity.ts";
import type { KindName } from "../data/kinds.ts";
import { Overlay } from "../data/overlay.ts";
import type { Session } from "../data/session.ts";
import { useData } from "../data/use-data.ts";
import { capital, formatMoment } from "../words.ts";
import { EntityEditor } from "./entity-editor.tsx";
import { shownValue } from "./shown-value.ts";

const EVERY_MS = 5_000;
const SHOWN_MAX = 100;
const MACHINE_FACTS = ["serialNumber", "typeName", "inServiceSince", "lastMaintenanceOn"] as const;
const FACT_TITLES: Readonly<Record<(typeof MACHINE_FACTS)[number], string>> = {
  serialNumber: "Serial number",
  typeName: "Type",
  inServiceSince: "In service since",
  lastMaintenanceOn: "Last maintenance",
};

interface MachineRecordsProps {
  readonly session: Session;
  readonly machineId: string;
  readonly factoryId: string;
  /** What the models ask for; a new work order begins with it. */
  readonly requirement: string | null;
}

/** What people know of a machine: its data, work orders, notes. */
export function MachineRecords({ session, machineId, factoryId, requirement }: MachineRecordsProps) {
  const overlay = useMemo(() => new Overlay(), []);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [open, setOpen] = useState<{ kind: KindName; id: string | null; preset?: Data } | null>(null);
  const { data, reload } = useData<MetadataPage>(
    "/api/query/metadata",
    { machine: machineId, kind: ["machine", "note", "work-order"], order: "newest", limit: SHOWN_MAX },
    EVERY_MS,
  );
  const rows = overlay.over(data?.rows ?? [], (row) => row.machineId === machineId && !row.deleted);
  const machine = rows.find(({ kind }) => kind === "machine");
  const onSaved = ({ state }: Tagged): void => {
    overlay.add(state);
    redraw(undefined);
    reload();
  };
  const canWrite = session.isAtLeast("operator");
  return (
    <>
      <section class="sheet" aria-labelledby="data-title">
        <div class="table-head">
          <h2 id="data-title">Data</h2>
          {machine !== undefined ? (
            <button type="button" class="plain" onClick={() => setOpen({ kind: "machine", id: machine.id })}>
              {session.isAtLeast("technician") ? "Edit" : "Look"}
            </button>
          ) : (
            session.isAtLeast("technician") && (
              <a class="button" href="#/metadata?kind=machine">
                Add under Metadata
              </a>
            )
          )}
        </div>
        {machine === undefined ? (
          <p class="muted">Nobody has added this machine to the metadata yet.</p>
        ) : (
          <dl class="facts-list">
            {MACHINE_FACTS.map((fact) => (
              <div key={fact}>
                <dt>{FACT_TITLES[fact]}</dt>
                <dd>{shownValue(valueAt(machine.data as Data, fact))}</dd>
              </div>
            ))}
          </dl>
        )}
      </section>
      <Records
        title="Work orders"
        rows={rows.filter(({ kind }) => kind === "work-order")}
        field="requirement"
        {...(canWrite
          ? {
              onAdd: () =>
                setOpen({
                  kind: "work-order",
                  id: null,
                  preset: { machineId, status: "open", ...(requirement === null ? {} : { requirement }) },
                }),
            }
          : {})}
        onOpen={(id) => setOpen({ kind: "work-order", id })}
      />
      <Records
        title="Notes"
        rows={rows.filter(({ kind }) => kind === "note")}
        field="text"
        {...(canWrite ? { onAdd: () => setOpen({ kind: "note", id: null, preset: { machineId } }) } : {})}
        onOpen={(id) => setOpen({ kind: "note", id })}
      />
      {open !== null && (
        <EntityEditor
          key={`${open.kind} ${open.id}`}
          session={session}
          kind={open.kind}
          id={open.id}
          preset={open.preset ?? { factoryId }}
          onClose={() => setOpen(null)}
          onSaved={onSaved}
        />
      )}
    </>
  );
}

interface RecordsProps {
  readonly title: string;
  readonly rows: readonly MetadataView[];
  readonly field: string;
  readonly onAdd?: () => void;
  readonly onOpen: (id: string) => void;
}

function Records({ title, rows, field, onAdd, onOpen }: RecordsProps) {
  const id = `${title.toLowerCase().replaceAll(" ", "-")}-title`;
  return (
    <section class="sheet" aria-labelledby={id}>
      <div class="table-head">
        <h2 id={id}>
          {title} <span class="muted num">{rows.length}</span>
        </h2>
        {onAdd !== undefined && (
          <button type="button" class="plain" onClick={onAdd}>
            Add
          </button>
        )}
      </div>
      {rows.length === 0 && <p class="muted">None.</p>}
      <ul class="records">
        {rows.map((row) => {
          const status = valueAt(row.data as Data, "status");
          const due = valueAt(row.data as Data, "dueOn");
          return (
            <li key={row.id}>
              <button type="button" class="link" onClick={() => onOpen(row.id)}>
                {shownValue(valueAt(row.data as Data, field))}
              </button>
              <small class="below">
                {typeof status === "string" && `${capital(status.replace("-", " "))} · `}
                {typeof due === "string" && `due ${due} · `}
                {row.changedBy}, {formatMoment(row.changedMs)}
              </small>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
