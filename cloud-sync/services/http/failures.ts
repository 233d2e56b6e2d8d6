import type { FastifyError, FastifyInstance } from "fastify";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { Failure, type FailureBody, failureBody } from "./failure.ts";

const URL_SHOWN_MAX = 200;
const RETRY_AFTER_S = "5";

/** Every failure of this scope has one shape: {error, message, hint}. `documentation` is where its addresses are described. */
export function addFailures(app: FastifyInstance, documentation: string): void {
  app.setErrorHandler((error: FastifyError | Failure | EdgeError, request, reply) => {
    const failure = failureOf(error, documentation);
    if (failure.statusCode >= 500)
      request.log.error({ err: error, url: request.url.slice(0, URL_SHOWN_MAX) }, "request failed");
    return reply
      .code(failure.statusCode)
      .headers(failure.headers)
      .send({ ...failureBody(failure), ...failure.details });
  });
}

/** What a server that is this service alone says of other addresses. */
export function addNotFound(app: FastifyInstance, documentation: string): void {
  app.setNotFoundHandler((request, reply) => reply.code(404).send(notFound(request.url, documentation)));
}

export function notFound(url: string, documentation: string): FailureBody {
  return { error: "NOT_FOUND", message: `nothing at ${url.slice(0, URL_SHOWN_MAX)}`, hint: `See ${documentation}` };
}

/** What of an error is told to who asked: faults of ours are logged, not told. */
export function failureOf(error: FastifyError | Failure | EdgeError, documentation: string): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof EdgeError) {
    if (error.retry === "never") return new Failure(500, "FAILED", "the service could not answer this");
    return new Failure(503, error.code, "what the service stands on does not answer now", {
      hint: "Try again in a few seconds.",
      headers: { "retry-after": RETRY_AFTER_S },
    });
  }
  // A deadline of ours, or the end of the service.
  if (error.name === "TimeoutError" || error.name === "AbortError")
    return new Failure(503, "TOO_SLOW", "what the service stands on does not answer in time", {
      hint: "Try again in a few seconds.",
      headers: { "retry-after": RETRY_AFTER_S },
    });
  if (error.validation !== undefined)
    return new Failure(400, "REQUEST_INVALID", error.message, { hint: `See ${documentation}` });
  const status = error.statusCode ?? 500;
  if (status < 500) return new Failure(status, error.code ?? "REFUSED", error.message);
  return new Failure(status, "FAILED", "the service could not answer this");
}
