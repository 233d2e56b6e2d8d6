import type { MetadataState } from "../../store/metadata-document.ts";
import { Failure } from "../http/failure.ts";

/** A state as it is stored. */
export interface StoredState {
  readonly state: MetadataState;
  /** The store's. */
  readonly etag: string;
}

/** The version makes the tag: a repeated answer has the same one, and so has the state in another store. */
export function etagOf({ version }: MetadataState): string {
  return `"v${version}"`;
}

/**
 * Whether a change is meant for the state as it is. Besides our tag the store's is taken, which read models show.
 * @throws Failure 428 without If-Match, 412 when it names another state
 */
export function checkMatch(ifMatch: string | undefined, { state, etag }: StoredState): void {
  if (ifMatch === undefined || ifMatch.trim() === "" || ifMatch.trim() === "*")
    throw new Failure(428, "IF_MATCH_NEEDED", "a change must say by If-Match which state it changes", {
      hint: "Send the ETag of the newest answer.",
    });
  const tags = ifMatch.split(",").map((tag) => bare(tag.trim()));
  if (!tags.includes(bare(etagOf(state))) && !tags.includes(bare(etag))) throw tooLate(state);
}

/** The answer holds the state as it is, so that a person can compare. */
export function tooLate(state: MetadataState): Failure {
  return new Failure(412, "CHANGED_MEANWHILE", `${state.changedBy} has changed it meanwhile, at ${state.changedAt}`, {
    hint: "Look at what it is now, and send the change again with its ETag.",
    headers: { etag: etagOf(state) },
    details: { current: state },
  });
}

/** Weak tags name no exact state, so they match nothing. */
function bare(tag: string): string {
  return tag.startsWith('"') && tag.endsWith('"') ? tag.slice(1, -1) : tag;
}
