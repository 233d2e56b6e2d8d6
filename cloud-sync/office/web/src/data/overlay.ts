import type { MetadataView } from "../../../../services/query/metadata/schema.ts";
import type { EntityState } from "./entity.ts";

/** What this page has saved, shown at once: the read models follow a moment later. */
export class Overlay {
  readonly #states = new Map<string, EntityState>();

  add(state: EntityState): void {
    this.#states.set(`${state.kind} ${state.id}`, state);
  }

  /** @param wanted whether a state belongs into this list */
  over(rows: readonly MetadataView[], wanted: (view: MetadataView) => boolean): MetadataView[] {
    const known = new Set(rows.map(({ kind, id }) => `${kind} ${id}`));
    const newer = rows.map((row) => {
      const state = this.#states.get(`${row.kind} ${row.id}`);
      return state !== undefined && state.version > row.version ? viewOf(state) : row;
    });
    const added = [...this.#states].filter(([key]) => !known.has(key)).map(([, state]) => viewOf(state));
    return [...added, ...newer].filter(wanted);
  }
}

function viewOf(state: EntityState): MetadataView {
  return {
    kind: state.kind,
    id: state.id,
    factoryId: state.factoryId,
    machineId: state.machineId,
    etag: `"v${state.version}"`,
    version: state.version,
    deleted: state.deleted,
    data: state.data,
    createdMs: Date.parse(state.createdAt),
    createdBy: state.createdBy,
    changedMs: Date.parse(state.changedAt),
    changedBy: state.changedBy,
  };
}
