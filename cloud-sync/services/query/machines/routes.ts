import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { QueryContext } from "../query-context.ts";
import { Failure, failures, Id, oneOf, paging, Query, where } from "../schemas.ts";
import { readMachine } from "./read-machine.ts";
import { readMachines } from "./read-machines.ts";
import { MachineDetail, MachinePage } from "./schema.ts";

const STATES = ["running", "idle", "setup", "fault", "offline", "disconnected", "unknown"] as const;
const TEXT_LENGTH_MAX = 200;

/** A machineId holds a slash: percent-encoded it may stand in the path, and any may be given as the parameter `id`. */
export function machineRoutes({ sql, clock }: QueryContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/api/query/machines",
      {
        schema: {
          summary: "Machines of all factories, ranked by maintenance need, freshness or name",
          querystring: Query({
            factory: where.factory,
            state: Type.Optional(oneOf(STATES)),
            text: Type.Optional(
              Type.String({ minLength: 0, maxLength: TEXT_LENGTH_MAX, description: "part of id, name or type" }),
            ),
            order: oneOf(["need", "freshness", "name"], {
              default: "need",
              description: "freshness: longest silent first",
            }),
            ...paging,
          }),
          response: { 200: MachinePage, ...failures },
        },
      },
      (request) => readMachines(sql, request.query),
    );
    const response = { 200: MachineDetail, 404: Failure, ...failures };
    app.get(
      "/api/query/machine",
      {
        schema: { summary: "A machine with its newest values", querystring: Query({ id: Id("machine id") }), response },
      },
      (request) => readMachine(sql, request.query.id, clock.nowMs()),
    );
    app.get(
      "/api/query/machines/:id",
      {
        schema: {
          summary: "A machine with its newest values, its id percent-encoded",
          params: Type.Object({ id: Id("machine id, percent-encoded") }),
          response,
        },
      },
      (request) => readMachine(sql, request.params.id, clock.nowMs()),
    );
  };
}
