import type { MetadataEventView, MetadataHistory } from "../../../../services/query/metadata/schema.ts";
import { type Data, isEqual, valueAt } from "../data/entity.ts";
import type { Field, KindName } from "../data/kinds.ts";
import { useData } from "../data/use-data.ts";
import { formatMoment } from "../words.ts";
import { Problem } from "./problem.tsx";
import { shownValue } from "./shown-value.ts";

const EVERY_MS = 1_500;

interface HistoryProps {
  readonly kind: KindName;
  readonly id: string;
  readonly fields: readonly Field[];
  /** Another one when something was saved: then it is read again. */
  readonly version: number;
}

/** Who did what and when; of each change the fields that it has changed. */
export function History({ kind, id, fields, version }: HistoryProps) {
  const { data, error } = useData<MetadataHistory>("/api/query/metadata/history", { kind, id, limit: 50 }, EVERY_MS);
  if (error !== undefined && data === undefined) return <Problem error={error} />;
  const rows = data?.rows ?? [];
  return (
    <ol class="history">
      {(rows[0]?.version ?? 0) < version && <li class="muted">The newest change is on its way into this list.</li>}
      {rows.map((event, index) => (
        <li key={event.version}>
          <p>
            <b>{event.eventType}</b> by {event.author}
            <small> {formatMoment(event.atMs)}</small>
          </p>
          <ul>
            {changesOf(event, rows[index + 1], fields).map(({ field, from, to }) => (
              <li key={field.path}>
                {field.label}: <span class="muted">{shownValue(from)}</span> → {shownValue(to)}
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}

function changesOf(event: MetadataEventView, before: MetadataEventView | undefined, fields: readonly Field[]) {
  if (before === undefined) return [];
  return fields.flatMap((field) => {
    const from = valueAt(before.data as Data, field.path);
    const to = valueAt(event.data as Data, field.path);
    return isEqual(from, to) ? [] : [{ field, from, to }];
  });
}
