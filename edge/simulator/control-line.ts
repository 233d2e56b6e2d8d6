import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { EdgeError } from "../kernel/errors.ts";
import { LINE_MODES, type LineMode, LineSwitch } from "./line-switch.ts";

const LineSchema = Type.Object({
  mode: Type.Enum([...LINE_MODES]),
  sinceMs: Type.Number({ description: "UTC epoch ms" }),
  untilMs: Type.Union([Type.Number(), Type.Null()], { description: "when it mends itself" }),
  port: Type.Integer(),
  targetPort: Type.Integer(),
  connections: Type.Integer(),
});
const PlaceSchema = Type.Object(
  { targetPort: Type.Integer({ minimum: 1, maximum: 65_535 }) },
  { additionalProperties: false },
);
const ChangeSchema = Type.Object(
  { mode: Type.Enum([...LINE_MODES]), durationMs: Type.Optional(Type.Integer({ minimum: 1 })) },
  { additionalProperties: false },
);

/** The line between the uplink and its hub: POST /line lays it, PUT /line cuts, freezes and mends it, GET /line shows it. */
export function addLine(app: FastifyInstance): AsyncDisposable {
  let line: LineSwitch | undefined;
  const laid = (): LineSwitch => {
    if (line) return line;
    throw new EdgeError("USAGE", "this demo has no line to a hub", {
      hint: "Start it without --no-hub; when the hub did not start, the demo has said why.",
    });
  };
  app.route({
    method: "POST",
    url: "/line",
    schema: { body: PlaceSchema, response: { 201: LineSchema } },
    handler: async (request, reply) => {
      if (line) throw new EdgeError("USAGE", "this demo has its line already");
      const { targetPort } = request.body as { targetPort: number };
      const laying = new LineSwitch(targetPort);
      await laying.listen(0);
      line = laying;
      return reply.code(201).send({ ...laying.state });
    },
  });
  app.route({
    method: "PUT",
    url: "/line",
    schema: { body: ChangeSchema, response: { 200: LineSchema } },
    handler: async (request) => {
      const { mode, durationMs } = request.body as { mode: LineMode; durationMs?: number };
      const at = laid();
      at.set(mode, durationMs);
      return { ...at.state };
    },
  });
  app.route({
    method: "GET",
    url: "/line",
    schema: { response: { 200: LineSchema } },
    handler: async () => ({ ...laid().state }),
  });
  return { [Symbol.asyncDispose]: async () => line?.[Symbol.asyncDispose]() };
}
