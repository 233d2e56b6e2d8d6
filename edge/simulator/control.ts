import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify from "fastify";
import { Type } from "typebox";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import { addLine } from "./control-line.ts";
import type { Factory } from "./factory.ts";
import { type FaultRequest, FaultRequestSchema } from "./fault.ts";
import { portError } from "./opcua-host.ts";

const FaultRecordSchema = Type.Object({
  id: Type.Integer(),
  fault: Type.String(),
  machineId: Type.String(),
  signals: Type.Array(Type.String()),
  startMs: Type.Number({ description: "UTC epoch ms" }),
  endMs: Type.Number({ description: "UTC epoch ms; the plan while the fault lasts" }),
  params: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String(), Type.Array(Type.String())])),
});
const FaultsSchema = Type.Object({ active: Type.Array(FaultRecordSchema), ended: Type.Array(FaultRecordSchema) });
const MachinesSchema = Type.Array(
  Type.Object({
    machineId: Type.String(),
    type: Type.String(),
    state: Type.String(),
    signals: Type.Array(
      Type.Object({ name: Type.String(), title: Type.String(), unit: Type.String(), analog: Type.Boolean() }),
    ),
  }),
);
const ProblemSchema = Type.Object({ code: Type.String(), message: Type.String(), hint: Type.Optional(Type.String()) });

/** A fault is a few hundred bytes. */
const BODY_BYTES_MAX = 16_384;

export interface Control extends AsyncDisposable {
  /** "http://127.0.0.1:41234" */
  readonly url: string;
  readonly port: number;
}

/**
 * The factory's control surface for other processes, on loopback only: POST /faults, DELETE /faults/:id, GET /faults,
 * GET /machines, and /line (control-line.ts). It changes a simulation and nothing else, so it asks for no password; it accepts JSON only, which a
 * browser does not send across origins without asking first.
 * @throws EdgeError PORT_IN_USE
 */
export async function startControl(factory: Factory, port: number): Promise<Control> {
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.removeContentTypeParser("text/plain");

  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof EdgeError) {
      const hint = error.hint === undefined ? {} : { hint: error.hint };
      return reply.code(400).send({ code: error.code, message: error.message, ...hint });
    }
    const statusCode = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
    return reply.code(statusCode).send({ code: "USAGE", message: messageOf(error) });
  });

  app.route({
    method: "POST",
    url: "/faults",
    schema: { body: FaultRequestSchema, response: { 201: FaultRecordSchema, 400: ProblemSchema } },
    handler: async (request, reply) => {
      const record = factory.inject(request.body as FaultRequest);
      return reply.code(201).send({ ...record, signals: [...record.signals], params: plainParams(record.params) });
    },
  });
  app.route({
    method: "DELETE",
    url: "/faults/:id",
    schema: { params: Type.Object({ id: Type.Integer({ minimum: 1 }) }), response: { 204: Type.Null() } },
    handler: async (request, reply) => {
      factory.end(request.params.id);
      return reply.code(204).send(null);
    },
  });
  app.route({
    method: "GET",
    url: "/faults",
    schema: { response: { 200: FaultsSchema } },
    handler: async () => {
      const plain = (records: typeof factory.plant.faults.active) =>
        records.map((record) => ({ ...record, signals: [...record.signals], params: plainParams(record.params) }));
      return { active: plain(factory.plant.faults.active), ended: plain(factory.plant.faults.ended) };
    },
  });
  app.route({
    method: "GET",
    url: "/machines",
    schema: { response: { 200: MachinesSchema } },
    handler: async () =>
      factory.plant.machines.map((machine) => ({
        machineId: `${factory.plant.site}/${machine.id}`,
        type: machine.type,
        state: machine.physics.state,
        signals: machine.signals.map(({ description: { name, title, unit }, isAnalog }) => ({
          name,
          title,
          unit,
          analog: isAnalog,
        })),
      })),
  });

  const line = addLine(app);
  try {
    await app.listen({ host: "127.0.0.1", port });
  } catch (error) {
    throw portError(port, error);
  }
  const address = app.server.address();
  const boundPort = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${boundPort}`,
    port: boundPort,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([app.close(), line[Symbol.asyncDispose]()]);
    },
  };
}

function plainParams(params: Readonly<Record<string, number | string | readonly string[]>>) {
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [key, typeof value === "object" ? [...value] : value]),
  );
}
