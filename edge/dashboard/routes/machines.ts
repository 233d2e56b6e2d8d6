import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { DashboardContext } from "../dashboard-context.ts";
import { Failure, Floor, MachineDetail, MachineSummary } from "../schemas/views.ts";
import { detailOf, summaryOf } from "../views.ts";

/** The floor and its machines. A machineId contains a slash: both `redmond%2Fmill-07` and `redmond/mill-07` are understood. */
export function machineRoutes({ projection, log, site, clock }: DashboardContext): FastifyPluginAsyncTypebox {
  const summaries = () =>
    [...projection.machines.values()]
      .sort((a, b) => a.machineId.localeCompare(b.machineId, "en", { numeric: true }))
      .map((machine) => summaryOf(projection, machine));
  const find = (machineId: string) => {
    const machine = projection.machines.get(machineId);
    return machine ? detailOf(projection, machine, clock.nowMs()) : undefined;
  };
  return async (app) => {
    app.get("/api/floor", { schema: { response: { 200: Floor } } }, () => ({
      site,
      epoch: log.epoch,
      offset: projection.offset,
      nowMs: clock.nowMs(),
      machines: summaries(),
    }));
    app.get("/api/machines", { schema: { response: { 200: Type.Array(MachineSummary) } } }, summaries);
    app.get(
      "/api/machines/:id",
      { schema: { params: Type.Object({ id: Type.String() }), response: { 200: MachineDetail, 404: Failure } } },
      async (request, reply) => find(request.params.id) ?? reply.code(404).send(unknownMachine(request.params.id)),
    );
    app.get(
      "/api/machines/:site/:machine",
      {
        schema: {
          params: Type.Object({ site: Type.String(), machine: Type.String() }),
          response: { 200: MachineDetail, 404: Failure },
        },
      },
      async (request, reply) => {
        const machineId = `${request.params.site}/${request.params.machine}`;
        return find(machineId) ?? reply.code(404).send(unknownMachine(machineId));
      },
    );
  };
}

export function unknownMachine(machineId: string): {
  error: { code: string; message: string; hint: string };
} {
  return {
    error: {
      code: "MACHINE_UNKNOWN",
      message: `no machine "${machineId.slice(0, 200)}" in the log`,
      hint: "GET /api/machines lists those that are.",
    },
  };
}
