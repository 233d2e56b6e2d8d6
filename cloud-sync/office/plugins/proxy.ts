import httpProxy from "@fastify/http-proxy";
import type { FastifyInstance } from "fastify";
import { failureBody } from "../../services/http/failure.ts";

const ANSWER_MS_MAX = 30_000;

/**
 * Passes requests below a prefix on to a service that is deployed apart, cookies and tokens with them: it finds out by itself who asks.
 * What it is told of where they came from is what this server knows.
 */
export function addProxy(app: FastifyInstance, prefix: string, upstream: string): void {
  app.register(httpProxy, {
    upstream,
    prefix,
    rewritePrefix: prefix,
    http: { requestOptions: { timeout: ANSWER_MS_MAX } },
    // A change that may have been carried out is not sent again.
    retryMethods: ["GET", "HEAD"],
    replyOptions: {
      rewriteRequestHeaders: (request, headers) => ({
        ...headers,
        "x-forwarded-for": request.ip,
        "x-forwarded-proto": request.protocol,
        "x-forwarded-host": request.host,
      }),
      onError: (reply, { error }) => {
        reply.log.error({ err: error, upstream }, "a service does not answer");
        reply
          .code(502)
          .header("retry-after", "5")
          .send(
            failureBody({
              code: "SERVICE_UNREACHABLE",
              message: `the service behind ${prefix} does not answer`,
              hint: "Try again in a few seconds; what is shown stays as it was.",
            }),
          );
      },
    },
  });
}
