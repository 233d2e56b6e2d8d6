import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { QueryContext } from "../query-context.ts";
import { failures, oneOf, paging, Query, where } from "../schemas.ts";
import { readLedger, readLedgerSums } from "./read-ledger.ts";
import { LedgerPage, LedgerSums } from "./schema.ts";

export function ledgerRoutes({ sql }: QueryContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/api/query/ledger",
      {
        schema: {
          summary: "The loss ledger by stream: what is missing, lost or thinned, exactly and why",
          querystring: Query({
            ...where,
            ...paging,
            only: oneOf(["troubled", "all"], { default: "troubled", description: "troubled: something is not here" }),
          }),
          response: { 200: LedgerPage, ...failures },
        },
      },
      (request) => readLedger(sql, request.query),
    );
    app.get(
      "/api/query/ledger/sums",
      {
        schema: {
          summary: "The loss ledger's totals by factory",
          querystring: Type.Object({}, { additionalProperties: false }),
          response: { 200: LedgerSums, ...failures },
        },
      },
      async () => ({ factories: await readLedgerSums(sql) }),
    );
  };
}
