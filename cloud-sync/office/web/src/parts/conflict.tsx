import { useState } from "preact/hooks";
import { type Data, type Merged, merge, type Tagged, withValue } from "../data/entity.ts";
import type { Field } from "../data/kinds.ts";
import { formatMoment } from "../words.ts";
import { shownValue } from "./shown-value.ts";

interface ConflictProps {
  readonly fields: readonly Field[];
  readonly before: Data;
  readonly mine: Data;
  readonly theirs: Tagged;
  /** Saves what was chosen on top of theirs. */
  readonly onSave: (data: Data) => void;
  readonly onTakeTheirs: () => void;
}

/** Two people have changed the same entity: both versions, field by field, and a choice where they differ. */
export function Conflict({ fields, before, mine, theirs, onSave, onTakeTheirs }: ConflictProps) {
  const { state } = theirs;
  const [rows, setRows] = useState<readonly Merged[]>(() => merge(fields, before, mine, state.data));
  const choose = (path: string, choice: Merged["choice"]): void =>
    setRows(rows.map((row) => (row.field.path === path ? { ...row, choice } : row)));
  const save = (): void =>
    onSave(
      rows.reduce<Data>(
        (data, { field, choice, mine: own }) => (choice === "mine" ? withValue(data, field.path, own) : data),
        state.data,
      ),
    );
  return (
    <section class="conflict" aria-labelledby="conflict-title" role="alert">
      <p class="notice" id="conflict-title">
        <strong>{state.changedBy} has changed this meanwhile</strong> ({formatMoment(Date.parse(state.changedAt))}).
        Nothing of yours is saved yet: choose what stands where the two differ.
      </p>
      {state.deleted && <p class="notice alarm">It was deleted. Saving is possible after it is restored.</p>}
      <table class="list conflict-table">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Before</th>
            <th scope="col">Yours</th>
            <th scope="col">Theirs</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ field, before: old, mine: own, theirs: other, isDisputed, choice }) => (
            <tr key={field.path} class={isDisputed ? "disputed" : ""}>
              <th scope="row">
                {field.label}
                {isDisputed && <small>both changed it</small>}
              </th>
              <td class="muted">{shownValue(old)}</td>
              {(["mine", "theirs"] as const).map((side) => (
                <td key={side}>
                  <label class="side">
                    <input
                      type="radio"
                      class="which"
                      name={`conflict-${field.path}`}
                      checked={choice === side}
                      onChange={() => choose(field.path, side)}
                    />
                    <span>{shownValue(side === "mine" ? own : other)}</span>
                  </label>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p>Both versions say the same.</p>}
      <div class="actions">
        <button type="button" class="primary" disabled={state.deleted} onClick={save}>
          Save what is chosen
        </button>
        <button type="button" class="plain" onClick={onTakeTheirs}>
          Drop mine, take theirs
        </button>
      </div>
    </section>
  );
}
