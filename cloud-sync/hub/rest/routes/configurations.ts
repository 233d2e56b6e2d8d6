import { type FastifyPluginAsyncTypebox, type Static, Type } from "@fastify/type-provider-typebox";
import { HubError } from "../../hub-error.ts";
import { parseQuery } from "../../query/parser.ts";
import { parseContent } from "../../services/configuration-content.ts";
import { parseTarget } from "../../services/configuration-plan.ts";
import type { ConfigurationWrite } from "../../store/configuration-store.ts";
import { ifMatchOf, quoted } from "../if-match.ts";
import type { RestContext } from "../rest-context.ts";
import { DeviceParams } from "../schemas/identity.ts";
import { AnyMap, MapOrNull } from "../schemas/json.ts";
import { configurationView } from "../views/configuration-view.ts";

const METRICS_MAX = 5;
const READ = { access: { right: "RegistryRead" } } as const;
const WRITE = { access: { right: "RegistryWrite" } } as const;

const Queries = Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]));
const ConfigurationBody = Type.Object({
  content: AnyMap,
  targetCondition: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
  labels: MapOrNull,
  schemaVersion: Type.Optional(Type.String()),
  metrics: Type.Optional(Type.Union([Type.Object({ queries: Queries }), Type.Null()])),
});
const TestBody = Type.Object({ targetCondition: Type.Optional(Type.String()), customMetricQueries: Queries });

/** Automatic configurations of devices and modules, and deployments of IoT Edge. */
export function configurationRoutes({ services }: RestContext): FastifyPluginAsyncTypebox {
  const { configurations, configurator } = services;
  const params = DeviceParams;
  return async (app) => {
    app.get("/configurations", { config: READ }, () =>
      Promise.all(configurations.all().map((configuration) => configurationView(configuration, services))),
    );
    app.get("/configurations/:id", { schema: { params }, config: READ }, async (request, reply) => {
      const configuration = configurations.get(request.params.id);
      return reply.header("etag", quoted(configuration.etag)).send(await configurationView(configuration, services));
    });
    app.put(
      "/configurations/:id",
      { schema: { params, body: ConfigurationBody }, config: WRITE },
      async (request, reply) => {
        const { id } = request.params;
        const ifMatch = ifMatchOf(request);
        const write = writeOf(request.body);
        const written =
          ifMatch === undefined ? configurations.create(id, write) : configurations.update(id, write, ifMatch);
        return reply.header("etag", quoted(written.etag)).send(await configurationView(written, services));
      },
    );
    app.delete("/configurations/:id", { schema: { params }, config: WRITE }, (request, reply) => {
      configurations.remove(request.params.id, ifMatchOf(request));
      return reply.code(204).send();
    });
    app.post("/configurations/testQueries", { schema: { body: TestBody }, config: READ }, (request) => {
      const { targetCondition, customMetricQueries } = request.body;
      const queries = Object.entries(customMetricQueries ?? {}).map(
        ([name, text]) => [name, problemOf(() => parseQuery(text))] as const,
      );
      const kind = /from\s+devices\.modules/i.test(targetCondition ?? "") ? "moduleContent" : "deviceContent";
      return {
        targetConditionError: problemOf(() => parseTarget(targetCondition ?? "", kind)),
        customMetricQueryErrors: Object.fromEntries(queries),
      };
    });
    app.post(
      "/devices/:id/applyConfigurationContent",
      { schema: { params, body: AnyMap }, config: WRITE },
      (request, reply) => {
        configurator.applyNow(request.params.id, parseContent(request.body));
        return reply.code(204).send();
      },
    );
  };
}

/** @throws HubError ArgumentInvalid for what could not be carried out later */
function writeOf(body: Static<typeof ConfigurationBody>): ConfigurationWrite {
  const targetCondition = body.targetCondition ?? "";
  const metricQueries = body.metrics?.queries ?? {};
  parseTarget(targetCondition, parseContent(body.content).kind);
  if (Object.keys(metricQueries).length > METRICS_MAX) {
    throw new HubError("ArgumentInvalid", `a configuration has at most ${METRICS_MAX} metrics`);
  }
  for (const query of Object.values(metricQueries)) parseQuery(query);
  return {
    content: body.content,
    targetCondition,
    priority: body.priority ?? 0,
    labels: body.labels ?? null,
    schemaVersion: body.schemaVersion ?? "1.0",
    metricQueries,
  };
}

function problemOf(parse: () => unknown): string | null {
  try {
    parse();
    return null;
  } catch (error) {
    if (error instanceof HubError) return error.message;
    throw error;
  }
}
