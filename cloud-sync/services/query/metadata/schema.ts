import { type Static, Type } from "@fastify/type-provider-typebox";
import { Nullable, PageOf, Time } from "../schemas.ts";

export const MetadataView = Type.Object({
  kind: Type.String(),
  id: Type.String(),
  factoryId: Type.String({ description: "of what it is about; empty for none" }),
  machineId: Type.String({ description: "of what it is about; empty for none" }),
  etag: Type.String({ description: "for If-Match of the command service" }),
  version: Type.Number(),
  deleted: Type.Boolean(),
  data: Type.Unknown(),
  createdMs: Time,
  createdBy: Type.String(),
  changedMs: Time,
  changedBy: Type.String(),
});
export type MetadataView = Static<typeof MetadataView>;
export const MetadataPage = PageOf(MetadataView);
export type MetadataPage = Static<typeof MetadataPage>;

export const MetadataEventView = Type.Object({
  version: Type.Number(),
  eventType: Type.String({ description: "Factory Created, Machine Updated, …" }),
  author: Type.String(),
  atMs: Time,
  data: Type.Unknown({ description: "the whole entity after it" }),
});
export type MetadataEventView = Static<typeof MetadataEventView>;
export const MetadataHistory = Type.Object({
  rows: Type.Array(MetadataEventView),
  nextCursor: Nullable(Type.String()),
});
export type MetadataHistory = Static<typeof MetadataHistory>;
