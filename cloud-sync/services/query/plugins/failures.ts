import type { FastifyError, FastifyInstance } from "fastify";
import type { EdgeError } from "../../../../edge/kernel/errors.ts";
import { sqlStateOf } from "../../../database/database.ts";
import { Failure, failureBody } from "../../http/failure.ts";
import { failureOf } from "../../http/failures.ts";
import { invalid } from "../refusals.ts";

export const QUERY_DOCUMENTATION = "/api/query/openapi.json";
/** Of PostgreSQL: the statement ran into its timeout. */
const CANCELLED = "57014";
/** Class of values that are none: of a cursor that somebody has made up, for example. */
const DATA_EXCEPTION = /^22/;
const URL_SHOWN_MAX = 200;

/** As for every service, and what the database says of a question. */
export function addQueryFailures(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | Failure | EdgeError, request, reply) => {
    const failure = ofDatabase(error) ?? failureOf(error, QUERY_DOCUMENTATION);
    if (failure.statusCode >= 500 && failure.code !== "BUSY")
      request.log.error({ err: error, url: request.url.slice(0, URL_SHOWN_MAX) }, "request failed");
    return reply.code(failure.statusCode).headers(failure.headers).send(failureBody(failure));
  });
}

function ofDatabase(error: unknown): Failure | undefined {
  const state = sqlStateOf(error);
  if (state === CANCELLED)
    return new Failure(503, "TOO_SLOW", "the database needs too long for this", {
      hint: "Ask for a shorter span, or for one factory or machine.",
    });
  if (state !== undefined && DATA_EXCEPTION.test(state))
    return invalid("a value of the request is none that the database knows");
  return undefined;
}
