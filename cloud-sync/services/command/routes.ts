import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import type { EventStore } from "../../store/event-store.ts";
import type { Access, Person } from "../access/access.ts";
import { addFailures } from "../http/failures.ts";
import { addRateLimit } from "../http/rate-limit.ts";
import { BODY_BYTES_MAX } from "../http/server.ts";
import { addValidation } from "../http/validation.ts";
import { type Asked, Commands, type Done } from "./commands.ts";
import { etagOf } from "./etags.ts";
import { sweepKeys } from "./idempotency/sweep.ts";
import type { Kind } from "./kinds/kind.ts";
import { KINDS } from "./kinds/kinds.ts";
import {
  ChangeHeaders,
  CreateHeaders,
  createBody,
  FailureSchema,
  IdParams,
  stateSchema,
  updateBody,
} from "./schemas.ts";

export const COMMAND_DOCUMENTATION = "/api/command/openapi.json";
const REQUESTS_PER_MINUTE_MAX = 600;
const STORE_MS_MAX = 15_000;
const SWEEP_MS = 3_600_000;

export interface CommandContext {
  readonly store: EventStore;
  readonly access: Access;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Sent {
  readonly Params: { readonly id: string };
  readonly Body: { readonly id?: string; readonly data: unknown };
  readonly Headers: { readonly "if-match"?: string; readonly "idempotency-key"?: string };
}

/** Everything under /api/command; may be mounted in any server. */
export function commandRoutes(context: CommandContext): FastifyPluginAsync {
  const { store, clock, logger } = context;
  return async (app) => {
    const closing = new AbortController();
    let sweeping: Promise<void> = Promise.resolve();
    addFailures(app, COMMAND_DOCUMENTATION);
    addValidation(app);
    await addRateLimit(app, REQUESTS_PER_MINUTE_MAX);
    await addOpenapi(app);
    const commands = new Commands(store, clock);
    for (const kind of Object.values(KINDS)) addKind(app, kind, commands, context.access, closing.signal);
    app.addHook("onReady", async () => {
      sweeping = sweepNowAndThen(store, clock, logger, closing.signal);
    });
    app.addHook("onClose", async () => {
      closing.abort();
      await sweeping;
    });
  };
}

function addKind(app: FastifyInstance, kind: Kind, commands: Commands, access: Access, closing: AbortSignal): void {
  const url = `/api/command/${kind.kind}`;
  const heeds = { heedsFactory: true };
  const asked = (request: FastifyRequest<Sent>): Asked => ({
    // Access.require stands before every handler here.
    person: request.person as Person,
    ifMatch: request.headers["if-match"],
    key: request.headers["idempotency-key"],
    signal: AbortSignal.any([closing, AbortSignal.timeout(STORE_MS_MAX)]),
  });
  const state = stateSchema(kind);
  const name = kind.label.toLowerCase();
  const common = { tags: [name] };
  const failures = { "4xx": FailureSchema, "5xx": FailureSchema };
  const change = { params: IdParams, headers: ChangeHeaders, response: { 200: state, ...failures }, ...common };
  const bodyLimit = BODY_BYTES_MAX;
  const writer = access.require(kind.writer, heeds);
  const administrator = access.require("administrator", heeds);

  app.get<Sent>(
    `${url}/:id`,
    {
      schema: {
        summary: `One ${name}, as it is now`,
        params: IdParams,
        response: { 200: state, ...failures },
        ...common,
      },
      onRequest: access.require("viewer", heeds),
    },
    async (request, reply) => {
      const found = await commands.get(kind, request.params.id, asked(request));
      return reply.headers({ etag: etagOf(found), "cache-control": "no-store" }).send(found);
    },
  );
  app.post<Sent>(
    url,
    {
      schema: {
        summary: `Makes a ${name}`,
        headers: CreateHeaders,
        body: createBody(kind),
        response: { 201: state, ...failures },
        ...common,
      },
      bodyLimit,
      onRequest: writer,
    },
    async (request, reply) => {
      const done = await commands.create(kind, request.body, asked(request));
      reply.header("location", `${url}/${encodeURIComponent(done.state.id)}`);
      return answer(reply, done);
    },
  );
  app.put<Sent>(
    `${url}/:id`,
    {
      schema: { summary: `Replaces a ${name}'s data`, body: updateBody(kind), ...change },
      bodyLimit,
      onRequest: writer,
    },
    async (request, reply) =>
      answer(reply, await commands.update(kind, request.params.id, request.body.data, asked(request))),
  );
  app.delete<Sent>(
    `${url}/:id`,
    { schema: { summary: `Marks a ${name} as deleted`, ...change }, bodyLimit, onRequest: administrator },
    async (request, reply) => answer(reply, await commands.remove(kind, request.params.id, asked(request))),
  );
  app.post<Sent>(
    `${url}/:id/restore`,
    { schema: { summary: `Takes back that a ${name} was deleted`, ...change }, bodyLimit, onRequest: administrator },
    async (request, reply) => answer(reply, await commands.restore(kind, request.params.id, asked(request))),
  );
}

function answer(reply: FastifyReply, { status, state, isRepeated }: Done): FastifyReply {
  reply.headers({ etag: etagOf(state), "cache-control": "no-store" });
  if (isRepeated) reply.header("idempotency-replayed", "true");
  return reply.code(status).send(state);
}

async function addOpenapi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Tailstock command service",
        description:
          "Creates, changes, deletes and restores factories, machines, maintenance criteria, notes and work orders. " +
          "Each change is an event with its author. A change names the state that it changes by If-Match.",
        version: "1",
      },
    },
  });
  app.get(COMMAND_DOCUMENTATION, { schema: { hide: true } }, () => app.swagger());
}

async function sweepNowAndThen(store: EventStore, clock: Clock, logger: Logger, signal: AbortSignal): Promise<void> {
  const failures = new FailureLog(logger, clock, { component: "command", work: "sweep of idempotency keys" });
  while (!signal.aborted) {
    try {
      await sweepKeys(store, clock.nowMs(), signal);
      failures.recovered();
    } catch (error) {
      if (!signal.aborted) failures.failed(error);
    }
    await clock.sleep(SWEEP_MS, signal);
  }
}
