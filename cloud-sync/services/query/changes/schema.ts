import { type Static, Type } from "typebox";

/** Containers whose changes a factory may follow. */
export const FOLLOWED_CONTAINERS = ["metadata", "scored_telemetry"] as const;
export type FollowedContainer = (typeof FOLLOWED_CONTAINERS)[number];

/** Documents of a page at most. */
export const CHANGES_LIMIT_MAX = 200;

/** A document of the central office's store, as it goes to a factory. */
export const ChangedDocument = Type.Object({
  stream: Type.String(),
  part: Type.String(),
  id: Type.String(),
  kind: Type.String(),
  fields: Type.Record(Type.String(), Type.Unknown()),
  /** Base64. */
  body: Type.Optional(Type.String()),
  ttl: Type.Optional(Type.Literal("never")),
});
export type ChangedDocument = Static<typeof ChangedDocument>;

/** The newest versions of documents that were written since; those of other factories are left out, so a page may be empty. */
export const ChangesPage = Type.Object({
  documents: Type.Array(ChangedDocument),
  /** Behind this page; null: still at the beginning. */
  continuation: Type.Union([Type.String(), Type.Null()]),
  /** Whether there is more at once. */
  hasMore: Type.Boolean(),
});
export type ChangesPage = Static<typeof ChangesPage>;

/** Each range is followed by itself; together they are all documents. */
export const ChangesRanges = Type.Object({ ranges: Type.Array(Type.String(), { minItems: 1 }) });
export type ChangesRanges = Static<typeof ChangesRanges>;
