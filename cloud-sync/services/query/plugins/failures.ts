import type { FastifyError, FastifyInstance } from "fastify";
import { EdgeError } from "../../../../edge/kernel/errors.ts";
import { sqlStateOf } from "../../../database/database.ts";
import { Refusal } from "../refusal.ts";

/** Of PostgreSQL: the statement ran into its timeout. */
const CANCELLED = "57014";
/** Class of values that are none: a cursor that somebody has made up, a time out of range. */
const DATA_EXCEPTION = /^22/;

interface Failure {
  readonly status: number;
  readonly body: { readonly error: string; readonly message: string; readonly hint: string | null };
}

/** Every failure has one shape: a code, what happened, what to do. */
export function addFailures(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { status, body } = failureOf(error);
    if (status === 500) request.log.error({ err: error, url: request.url.slice(0, 500) }, "request failed");
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: "NOT_FOUND",
      message: `nothing at ${request.url.slice(0, 200)}`,
      hint: "See /api/query/openapi.json for what there is.",
    }),
  );
}

function failureOf(error: FastifyError): Failure {
  if (error instanceof Refusal) return failure(error.status, error.code, error.message, error.hint);
  const state = sqlStateOf(error);
  if (state === CANCELLED)
    return failure(503, "TOO_SLOW", "the database needs too long for this", "Ask for a shorter span or fewer machines.");
  if (state !== undefined && DATA_EXCEPTION.test(state))
    return failure(400, "REQUEST_INVALID", "a value of the request is none that the database knows", null);
  if (error instanceof EdgeError && error.code === "DATABASE_UNAVAILABLE")
    return failure(503, "DATABASE_UNAVAILABLE", "the database does not answer", error.hint ?? null);
  if (error.statusCode !== undefined && error.statusCode < 500)
    return failure(error.statusCode, error.code ?? "REQUEST_INVALID", error.message, null);
  return failure(500, "FAILED", "the query service could not answer this", "Its log says why.");
}

function failure(status: number, error: string, message: string, hint: string | null): Failure {
  return { status, body: { error, message, hint } };
}
