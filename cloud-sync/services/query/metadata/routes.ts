import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { METADATA_KINDS } from "../../../store/metadata-document.ts";
import type { QueryContext } from "../query-context.ts";
import { Failure, failures, Id, oneOf, paging, Query, where } from "../schemas.ts";
import { readEntity, readHistory, readMetadata } from "./read-metadata.ts";
import { MetadataHistory, MetadataPage, MetadataView } from "./schema.ts";

const TEXT_LENGTH_MAX = 200;
const one = { kind: oneOf(METADATA_KINDS), id: Id("of the entity") };

export function metadataRoutes({ sql }: QueryContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/api/query/metadata",
      {
        schema: {
          summary: "Factories, machines, criteria, notes and work orders",
          querystring: Query({
            kind: Type.Optional(Type.Array(oneOf(METADATA_KINDS), { maxItems: METADATA_KINDS.length })),
            ...where,
            text: Type.Optional(
              Type.String({ minLength: 0, maxLength: TEXT_LENGTH_MAX, description: "anywhere in it" }),
            ),
            deleted: oneOf(["no", "yes", "both"], { default: "no" }),
            order: oneOf(["id", "newest"], { default: "id" }),
            ...paging,
          }),
          response: { 200: MetadataPage, ...failures },
        },
      },
      (request) => readMetadata(sql, request.query),
    );
    app.get(
      "/api/query/metadata/entity",
      {
        schema: {
          summary: "One entity, deleted or not",
          querystring: Query(one),
          response: { 200: MetadataView, 404: Failure, ...failures },
        },
      },
      (request) => readEntity(sql, request.query.kind, request.query.id),
    );
    app.get(
      "/api/query/metadata/history",
      {
        schema: {
          summary: "Events of one entity, the newest first",
          querystring: Query({ ...one, ...paging }),
          response: { 200: MetadataHistory, ...failures },
        },
      },
      (request) => readHistory(sql, request.query),
    );
  };
}
