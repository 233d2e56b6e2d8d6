import { type FastifyPluginAsyncTypebox, type Static, Type } from "@fastify/type-provider-typebox";
import { HubError } from "../../hub-error.ts";
import { parseCondition } from "../../query/parser.ts";
import { type MethodCall, methodRequestOf } from "../../services/method-call.ts";
import { JOB_STATUSES, JOB_TYPES, type JobWrite } from "../../store/job-store.ts";
import { pageSizeOf, textHeader } from "../paging.ts";
import type { RestContext } from "../rest-context.ts";
import { DeviceParams } from "../schemas/identity.ts";
import { MapOrNull } from "../schemas/json.ts";
import { jobView } from "../views/job-view.ts";

const EXECUTION_SECONDS_DEFAULT = 3_600;
const EXECUTION_SECONDS_MAX = 172_800;
const config = { access: { right: "ServiceConnect" } } as const;

const JobBody = Type.Object({
  type: Type.String(),
  cloudToDeviceMethod: MapOrNull,
  updateTwin: MapOrNull,
  queryCondition: Type.Optional(Type.String()),
  startTime: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  maxExecutionTimeInSeconds: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
});
const JobQuery = Type.Object({ jobType: Type.Optional(Type.String()), jobStatus: Type.Optional(Type.String()) });

/** Jobs over many devices: methods and twin updates. Import and export of devices go by blob storage, which this hub has none of. */
export function jobRoutes({ hub, services }: RestContext): FastifyPluginAsyncTypebox {
  const { jobs } = services;
  const params = DeviceParams;
  return async (app) => {
    app.put("/jobs/v2/:id", { schema: { params, body: JobBody }, config }, (request) =>
      jobView(jobs.create(request.params.id, writeOf(request.body, hub.clock.nowMs())), jobs),
    );
    app.get("/jobs/v2/:id", { schema: { params }, config }, (request) => jobView(jobs.get(request.params.id), jobs));
    app.post("/jobs/v2/:id/cancel", { schema: { params }, config }, (request) =>
      jobView(jobs.cancel(request.params.id), jobs),
    );
    app.get("/jobs/v2/query", { schema: { querystring: JobQuery }, config }, (request, reply) => {
      const size = pageSizeOf(request);
      const type = oneOf(JOB_TYPES, "jobType", request.query.jobType);
      const status = oneOf(JOB_STATUSES, "jobStatus", request.query.jobStatus);
      const found = jobs.list(textHeader(request, "x-ms-continuation") ?? "", size + 1, type, status);
      const page = found.slice(0, size);
      const last = page.at(-1);
      if (found.length > size && last !== undefined) reply.header("x-ms-continuation", last.id);
      return reply.header("x-ms-item-type", "jobResponse").send(page.map((job) => jobView(job, jobs)));
    });
    const registryJobs = { config: { access: { right: "RegistryWrite" } } } as const;
    for (const [method, url] of [
      ["POST", "/jobs/create"],
      ["GET", "/jobs"],
      ["GET", "/jobs/:id"],
      ["DELETE", "/jobs/:id"],
    ] as const) {
      app.route({
        method,
        url,
        ...registryJobs,
        handler: () => {
          throw new HubError(
            "ArgumentInvalid",
            "this hub has no blob storage: devices are neither imported nor exported by jobs",
          );
        },
      });
    }
  };
}

/** @throws HubError ArgumentInvalid for what could not be carried out later */
function writeOf(body: Static<typeof JobBody>, nowMs: number): JobWrite {
  const type = oneOf(JOB_TYPES, "type", body.type);
  const { cloudToDeviceMethod, updateTwin, queryCondition = "", startTime } = body;
  const seconds = body.maxExecutionTimeInSeconds ?? EXECUTION_SECONDS_DEFAULT;
  if (type === undefined) throw new HubError("ArgumentInvalid", "a job has a type");
  if (!(seconds >= 0 && seconds <= EXECUTION_SECONDS_MAX)) {
    throw new HubError(
      "ArgumentInvalid",
      `maxExecutionTimeInSeconds is ${seconds}, expected 0 to ${EXECUTION_SECONDS_MAX}`,
    );
  }
  const startMs = startTime ? Date.parse(startTime) : nowMs;
  if (!Number.isFinite(startMs)) throw new HubError("ArgumentInvalid", `startTime is "${startTime}"`);
  parseCondition(queryCondition);
  const common = { type, startMs, executionMsMax: Math.round(seconds * 1_000) };
  if (type === "scheduleDeviceMethod") {
    if (!cloudToDeviceMethod) throw new HubError("ArgumentInvalid", "a job of this type needs cloudToDeviceMethod");
    const { methodName } = cloudToDeviceMethod;
    if (typeof methodName !== "string") throw new HubError("ArgumentInvalid", "a method has a name");
    methodRequestOf({ ...(cloudToDeviceMethod as Omit<MethodCall, "methodName">), methodName });
    return { ...common, request: { cloudToDeviceMethod, queryCondition } };
  }
  if (!updateTwin) throw new HubError("ArgumentInvalid", "a job of this type needs updateTwin");
  return { ...common, request: { updateTwin, queryCondition } };
}

function oneOf<T extends string>(known: readonly T[], what: string, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const found = known.find((each) => each === text);
  if (found === undefined)
    throw new HubError("ArgumentInvalid", `${what} is "${text}", expected ${known.join(" or ")}`);
  return found;
}
