import { compareVersions } from "../../models/artifact/versions.ts";
import type { StoredEvent } from "../contract/event.ts";
import type { ModelName } from "../contract/insight.ts";

const MODELS_MAX = 64;
const NAME_CHARACTERS_MAX = 200;

/** What the edge of one stream scores by itself: of each model the version that its newest event names. */
export type EdgeModels = Readonly<Record<string, { readonly version: string; readonly seq: number }>>;

/**
 * The rule by which the cloud holds back. A model of ours says nothing of a stream whose newest event (by seq) of a model of the same
 * name has our version or a newer one; it speaks when there is no such event, or when it names an older version. A stream is a machine
 * within one epoch: a box that begins anew, perhaps without models, is asked anew. It holds from that event on, in the order of the
 * feed: what was scored before stays.
 */
export function isAtEdge(edge: EdgeModels, { name, version }: ModelName): boolean {
  const known = Object.hasOwn(edge, name) ? edge[name] : undefined;
  return known !== undefined && compareVersions(known.version, version) >= 0;
}

/** Takes up what an event tells of the edge's models; the same object when it tells nothing new. */
export function withEvent(edge: EdgeModels, event: StoredEvent): EdgeModels {
  const model = modelIn(event);
  if (model === undefined) return edge;
  const known = Object.hasOwn(edge, model.name) ? edge[model.name] : undefined;
  if (known !== undefined && known.seq >= event.seq) return edge;
  if (known === undefined && Object.keys(edge).length >= MODELS_MAX) return edge;
  return { ...edge, [model.name]: { version: model.version, seq: event.seq } };
}

/** The edge's word is checked: it is JSON of another program. */
function modelIn(event: StoredEvent): ModelName | undefined {
  if (event.type !== "anomaly" && event.type !== "prediction") return undefined;
  const { model } = event.data;
  if (typeof model !== "object" || model === null || Array.isArray(model)) return undefined;
  const { name, version } = model as { name?: unknown; version?: unknown };
  if (typeof name !== "string" || typeof version !== "string") return undefined;
  if (name.length > NAME_CHARACTERS_MAX || name === "__proto__" || version.length > NAME_CHARACTERS_MAX)
    return undefined;
  return { name, version };
}
