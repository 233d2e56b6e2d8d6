import type { JsonObject } from "../../contract/event.ts";
import type { EventStore } from "../../store/event-store.ts";
import { type MetadataState, metadataPartition } from "../../store/metadata-document.ts";
import { Failure } from "../http/failure.ts";
import type { Kind } from "./kinds/kind.ts";
import { KINDS } from "./kinds/kinds.ts";

/**
 * What metadata refers to must be there, and not deleted, when it begins to refer to it. There is no transaction over partitions: what is
 * deleted in the same moment, or later, is still referred to, and can be restored.
 */
export class References {
  readonly #store: EventStore;

  constructor(store: EventStore) {
    this.#store = store;
  }

  /**
   * @param which new: those that the data before did not have, so that the order of a machine that is deleted can still be closed
   * @returns the machine that is referred to, deleted or not
   * @throws Failure 409
   */
  async check(
    kind: Kind,
    data: JsonObject,
    which: "all" | "new" | "none",
    before: JsonObject | undefined,
    signal: AbortSignal,
  ): Promise<MetadataState | undefined> {
    const references = kind.references(data);
    const documents = await this.#store.get(
      "metadata",
      references.map((each) => ({ partition: metadataPartition(each.kind, each.id), id: "state" })),
      signal,
    );
    let machine: MetadataState | undefined;
    for (const [index, reference] of references.entries()) {
      const state = documents[index]?.fields as MetadataState | undefined;
      if (reference.kind === "machine") machine = state;
      if (which === "none" || (which === "new" && before?.[reference.field] === data[reference.field])) continue;
      const label = KINDS[reference.kind].label.toLowerCase();
      const { field, id } = reference;
      if (state === undefined)
        throw new Failure(409, "REFERENCE_UNKNOWN", `data.${field}: there is no ${label} "${id.slice(0, 200)}"`, {
          hint: `Create the ${label} first.`,
        });
      if (state.deleted)
        throw new Failure(409, "REFERENCE_DELETED", `data.${field}: the ${label} "${id.slice(0, 200)}" is deleted`, {
          hint: `Restore the ${label} first.`,
        });
    }
    return machine;
  }
}
