import type { FastifyError, FastifyInstance } from "fastify";
import { HubError } from "../../hub-error.ts";

/** Every failure as IoT Hub tells it: clients take the code out of the message's beginning. */
export function addFailures(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | HubError, request, reply) => {
    const failure = asHubError(error);
    if (failure.code === "ServerError") request.log.error({ err: error, url: request.url }, "request failed");
    // A service's refusal has a name of its own in the REST API.
    const code = failure.code === "Unauthorized" ? "IotHubUnauthorizedAccess" : failure.code;
    return reply.code(failure.status).header("iothub-errorcode", code).send(failureBody(code, failure.message));
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `nothing is at ${request.method} ${request.url.slice(0, 200)}`;
    return reply.code(404).header("iothub-errorcode", "NotFound").send(failureBody("NotFound", message));
  });
}

function failureBody(code: string, message: string): { Message: string; ExceptionMessage: string } {
  return {
    // A semicolon ends the part that clients show.
    Message: `ErrorCode:${code};${message.replaceAll(";", ",")}`,
    ExceptionMessage: `TimeStamp:${new Date().toISOString()}`,
  };
}

function asHubError(error: FastifyError | HubError): HubError {
  if (error instanceof HubError) return error;
  const status = error.statusCode ?? 500;
  if (status === 413) return new HubError("MessageTooLarge", error.message, { cause: error });
  if (status >= 400 && status < 500) return new HubError("ArgumentInvalid", error.message, { cause: error });
  return new HubError("ServerError", "the hub could not answer this", { cause: error });
}
