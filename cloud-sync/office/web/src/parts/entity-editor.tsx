import { useEffect, useRef, useState } from "preact/hooks";
import { sentenceOf } from "../data/api.ts";
import {
  conflictOf,
  createEntity,
  type Data,
  fieldOf,
  getEntity,
  removeEntity,
  restoreEntity,
  type Tagged,
  updateEntity,
  valueAt,
  withValue,
} from "../data/entity.ts";
import { KIND_FORMS, type KindName } from "../data/kinds.ts";
import type { Session } from "../data/session.ts";
import { formatMoment } from "../words.ts";
import { Conflict } from "./conflict.tsx";
import { Dialog } from "./dialog.tsx";
import { FieldInput } from "./field-input.tsx";
import { History } from "./history.tsx";

interface EntityEditorProps {
  readonly session: Session;
  readonly kind: KindName;
  /** null: a new one. */
  readonly id: string | null;
  /** Of a new one. */
  readonly preset?: Data;
  readonly onClose: () => void;
  readonly onSaved: (saved: Tagged) => void;
}

/** One entity of metadata: its fields, who changed what, and what somebody else has made of it meanwhile. */
export function EntityEditor({ session, kind, id, preset = {}, onClose, onSaved }: EntityEditorProps) {
  const form = KIND_FORMS[kind];
  const [base, setBase] = useState<Tagged | null>(null);
  const [draft, setDraft] = useState<Data>(preset);
  const [newId, setNewId] = useState("");
  const [theirs, setTheirs] = useState<Tagged | null>(null);
  const [problem, setProblem] = useState<{ path: string; text: string } | null>(null);
  const [isBusy, setBusy] = useState(id !== null);
  const [isConfirming, setConfirming] = useState(false);
  const key = useRef(newKey());
  useEffect(() => {
    if (id === null) return;
    const gone = new AbortController();
    getEntity(kind, id, gone.signal).then(
      (found) => {
        setBase(found);
        setDraft(found.state.data);
        setBusy(false);
      },
      (error: unknown) => {
        if (gone.signal.aborted) return;
        setProblem({ path: "", text: sentenceOf(error) });
        setBusy(false);
      },
    );
    return () => gone.abort();
  }, [kind, id]);

  const isLocked =
    !session.isAtLeast(form.writer) || isBusy || base?.state.deleted === true || (id !== null && base === null);
  const title = id === null ? `New ${form.title.toLowerCase()}` : `${form.title} ${id}`;

  /** Does it, and tells what went wrong at the field that it is about. */
  const run = async (work: () => Promise<Tagged>, isOver: boolean): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const saved = await work();
      key.current = newKey();
      setBase(saved);
      setDraft(saved.state.data);
      setTheirs(null);
      onSaved(saved);
      if (isOver) onClose();
    } catch (error) {
      const conflict = conflictOf(error);
      if (conflict !== undefined) setTheirs(conflict);
      else setProblem({ path: fieldOf(error, form.fields)?.path ?? "", text: sentenceOf(error) });
      // What was refused was not carried out: the next try is another request.
      key.current = newKey();
    } finally {
      setBusy(false);
      setConfirming(false);
    }
  };
  const save = (event: Event): void => {
    event.preventDefault();
    const wrong = form.fields.find(({ path, type }) => type === "json" && typeof valueAt(draft, path) === "string");
    if (wrong !== undefined) {
      setProblem({ path: wrong.path, text: "This is no JSON yet." });
      return;
    }
    void run(
      () =>
        base === null
          ? createEntity(kind, form.isNamed ? newId.trim() : null, complete(draft, form.fields), key.current)
          : updateEntity(base, draft, key.current),
      true,
    );
  };
  return (
    <Dialog title={title} onClose={onClose} wide>
      {theirs !== null && base !== null ? (
        <Conflict
          key={theirs.etag}
          fields={form.fields}
          before={base.state.data}
          mine={draft}
          theirs={theirs}
          onSave={(data) => void run(() => updateEntity(theirs, data, key.current), true)}
          onTakeTheirs={() => {
            setBase(theirs);
            setDraft(theirs.state.data);
            setTheirs(null);
          }}
        />
      ) : (
        <form onSubmit={save}>
          {problem?.path === "" && (
            <p class="notice alarm" role="alert">
              {problem.text}
            </p>
          )}
          {base?.state.deleted === true && <p class="notice">Deleted by {base.state.changedBy}.</p>}
          <div class="fields">
            {id === null && form.isNamed && (
              <div class="field">
                <label for="field-id">Id</label>
                <input
                  id="field-id"
                  type="text"
                  required
                  maxLength={512}
                  value={newId}
                  aria-describedby="field-id-help"
                  onInput={(event) => setNewId(event.currentTarget.value)}
                />
                <p id="field-id-help" class="help">
                  {form.idHelp}
                </p>
              </div>
            )}
            {form.fields.map((field) => (
              <FieldInput
                key={field.path}
                field={field}
                value={valueAt(draft, field.path)}
                problem={problem?.path === field.path ? problem.text : ""}
                isLocked={isLocked}
                onChange={(value) => setDraft((before) => withValue(before, field.path, value))}
              />
            ))}
          </div>
          <div class="actions">
            {session.isAtLeast(form.writer) && base?.state.deleted !== true && (
              <button type="submit" class="primary" disabled={isLocked}>
                Save
              </button>
            )}
            {base?.state.deleted === true && session.isAtLeast("administrator") && (
              <button
                type="button"
                class="plain"
                onClick={() => void run(() => restoreEntity(base, key.current), false)}
              >
                Restore
              </button>
            )}
            {base !== null && !base.state.deleted && session.isAtLeast("administrator") && !isConfirming && (
              <button type="button" class="plain danger" onClick={() => setConfirming(true)}>
                Delete …
              </button>
            )}
            {isConfirming && base !== null && (
              <span class="confirm" role="alert">
                Delete {form.title.toLowerCase()} <b>{base.state.id}</b>? Its history stays.
                <button
                  type="button"
                  class="plain danger"
                  onClick={() => void run(() => removeEntity(base, key.current), true)}
                >
                  Yes, delete
                </button>
                <button type="button" class="plain" onClick={() => setConfirming(false)}>
                  No
                </button>
              </span>
            )}
            {base !== null && (
              <span class="muted last">
                Version {base.state.version}, {base.state.changedBy}, {formatMoment(Date.parse(base.state.changedAt))}
              </span>
            )}
          </div>
        </form>
      )}
      {id !== null && base !== null && (
        <details class="history-of">
          <summary>History</summary>
          <History kind={kind} id={id} fields={form.fields} version={base.state.version} />
        </details>
      )}
    </Dialog>
  );
}

function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a form needs though nobody has touched it. */
function complete(draft: Data, fields: (typeof KIND_FORMS)[KindName]["fields"]): Data {
  return fields.reduce((data, { path, type }) => {
    if (valueAt(data, path) !== null) return data;
    if (type === "thresholds") return withValue(data, path, []);
    return path.includes(".") ? withValue(data, path, null) : data;
  }, draft);
}
