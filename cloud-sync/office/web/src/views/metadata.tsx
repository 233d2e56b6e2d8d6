import { useMemo, useReducer, useState } from "preact/hooks";
import type { MetadataView } from "../../../../services/query/metadata/schema.ts";
import { type Data, type Tagged, valueAt } from "../data/entity.ts";
import { KIND_FORMS, KINDS, type KindName, kindOf } from "../data/kinds.ts";
import { Overlay } from "../data/overlay.ts";
import type { Session } from "../data/session.ts";
import { usePages } from "../data/use-pages.ts";
import { EntityEditor } from "../parts/entity-editor.tsx";
import { FactoryFilter, nameOf, Search, Segments } from "../parts/filters.tsx";
import { More } from "../parts/more.tsx";
import { shownValue } from "../parts/shown-value.ts";
import { type Route, replaceParams } from "../router.ts";
import { formatMoment } from "../words.ts";

const EVERY_MS = 1_500;
const KIND_TITLES = KINDS.map((kind): readonly [KindName, string] => [kind, KIND_FORMS[kind].many]);
const DELETED = [
  ["no", "Present"],
  ["yes", "Deleted"],
] as const;
/** Columns of each kind beside its name. */
const COLUMNS: Readonly<Record<KindName, readonly string[]>> = {
  factory: ["location.city", "inServiceSince"],
  machine: ["factoryId", "typeName", "serialNumber", "lastMaintenanceOn"],
  criterion: ["requirement", "machineType", "action"],
  note: ["machineId", "factoryId"],
  "work-order": ["machineId", "status", "assignee", "dueOn"],
};

/** Factories, machines, criteria, notes and work orders; changed by who may, with everybody's name. */
export function Metadata({ session, route }: { session: Session; route: Route }) {
  const value = (name: string): string => route.params.get(name) ?? "";
  const kind = kindOf(value("kind")) ?? "factory";
  const deleted = value("deleted") === "yes" ? "yes" : "no";
  const factory = kind === "criterion" || kind === "factory" ? "" : value("factory");
  const form = KIND_FORMS[kind];
  const overlay = useMemo(() => new Overlay(), []);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [open, setOpen] = useState<{ id: string | null } | null>(null);
  const pages = usePages<MetadataView>(
    "/api/query/metadata",
    {
      kind,
      factory,
      text: value("text"),
      deleted,
      limit: 100,
      order: kind === "note" || kind === "work-order" ? "newest" : "id",
    },
    (row) => `${row.kind} ${row.id}`,
    EVERY_MS,
  );
  const rows = overlay.over(
    pages.rows,
    (row) => row.kind === kind && row.deleted === (deleted === "yes") && (factory === "" || row.factoryId === factory),
  );
  const onSaved = ({ state }: Tagged): void => {
    overlay.add(state);
    redraw(undefined);
    pages.reload();
  };
  const columns = form.fields.filter(({ path }) => COLUMNS[kind].includes(path));
  return (
    <section>
      <div class="view-head">
        <h1>Metadata</h1>
        {!session.isAtLeast(form.writer) && (
          <p class="muted">
            {form.many} are changed by the role {form.writer}.
          </p>
        )}
      </div>
      <div class="filters">
        <Segments
          label="Kind"
          value={kind}
          choices={KIND_TITLES}
          onChange={(each) => replaceParams(route, { kind: each, text: undefined })}
        />
        <Segments
          label="Which"
          value={deleted}
          choices={DELETED}
          onChange={(each) => replaceParams(route, { deleted: each })}
        />
        {kind !== "criterion" && kind !== "factory" && (
          <FactoryFilter value={factory} onChange={(each) => replaceParams(route, { factory: each })} />
        )}
        <Search
          key={kind}
          label="Anywhere in it"
          value={value("text")}
          onChange={(text) => replaceParams(route, { text })}
        />
        {session.isAtLeast(form.writer) && (
          <button type="button" class="primary" onClick={() => setOpen({ id: null })}>
            New {form.title.toLowerCase()}
          </button>
        )}
      </div>
      <div class="sheet">
        <table class="list metadata">
          <thead>
            <tr>
              <th scope="col">{form.title}</th>
              {columns.map(({ path, label }) => (
                <th key={path} scope="col">
                  {label}
                </th>
              ))}
              <th scope="col" class="w-changed">
                Changed
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={`${row.kind} ${row.id}`}>
                <th scope="row">
                  <button type="button" class="link" onClick={() => setOpen({ id: row.id })}>
                    {titleOf(kind, row)}
                  </button>
                  {form.isNamed && titleOf(kind, row) !== row.id && <small>{row.id}</small>}
                </th>
                {columns.map(({ path }) => (
                  <td key={path}>{shownValue(valueAt(row.data as Data, path))}</td>
                ))}
                <td class="muted">
                  {formatMoment(row.changedMs)}
                  <small class="below">{row.changedBy}</small>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length > 0 && pages.rows.length === 0 ? null : (
          <More
            pages={pages}
            empty={deleted === "yes" ? "Nothing is deleted." : `No ${form.many.toLowerCase()} yet.`}
          />
        )}
      </div>
      {open !== null && (
        <EntityEditor
          key={`${kind} ${open.id}`}
          session={session}
          kind={kind}
          id={open.id}
          preset={kind === "work-order" ? { status: "open" } : {}}
          onClose={() => setOpen(null)}
          onSaved={onSaved}
        />
      )}
    </section>
  );
}

function titleOf(kind: KindName, { data, id }: MetadataView): string {
  const field = kind === "note" ? "text" : kind === "work-order" ? "requirement" : "name";
  const text = valueAt(data as Data, field);
  if (typeof text !== "string" || text === "") return nameOf(data, id);
  return text.length > 120 ? `${text.slice(0, 120)} …` : text;
}
