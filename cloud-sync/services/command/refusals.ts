import type { MetadataState } from "../../store/metadata-document.ts";
import type { Person } from "../access/access.ts";
import { Failure } from "../http/failure.ts";
import { etagOf } from "./etags.ts";
import type { Kind } from "./kinds/kind.ts";

const ID_BYTES_MAX = 1_536;

/** @throws Failure 400 */
export function checkId(id: string): string {
  if (id.isWellFormed() && !/\p{Cc}/u.test(id) && id.trim() !== "" && Buffer.byteLength(id) <= ID_BYTES_MAX) return id;
  throw new Failure(400, "REQUEST_INVALID", `an id is visible text of at most ${ID_BYTES_MAX} bytes`);
}

/** @throws Failure 403 */
export function checkFactory({ factoryId, name }: Person, of: string): void {
  if (factoryId === undefined || factoryId === of) return;
  throw new Failure(403, "FACTORY_ONLY", `the token ${name} is for ${factoryId} alone`);
}

export function unknown({ label }: Kind, id: string): Failure {
  return new Failure(404, "UNKNOWN", `there is no ${label.toLowerCase()} "${id.slice(0, 200)}"`);
}

export function exists({ label }: Kind, state: MetadataState): Failure {
  return new Failure(409, "EXISTS", `there is a ${label.toLowerCase()} "${state.id.slice(0, 200)}" already`, {
    hint: state.deleted ? "It is deleted; restore it." : "Change it, or take another id.",
    headers: { etag: etagOf(state) },
    details: { current: state },
  });
}
