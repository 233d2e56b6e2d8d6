import type { FastifyInstance } from "fastify";
import { hostNameOf, isLoopback } from "../../../edge/kernel/hosts.ts";
import { failureBody } from "../../services/http/failure.ts";

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
} as const;
const ONE_YEAR_OF_HTTPS = { "strict-transport-security": "max-age=31536000" } as const;

/**
 * Headers for every answer. On this computer alone also a check of the Host header: a web site that points its own name at 127.0.0.1
 * (DNS rebinding) would otherwise ask in a visitor's name. Must be called before routes are added.
 */
export function addSecurity(app: FastifyInstance, behindProxy: boolean): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(HEADERS);
    if (behindProxy) {
      reply.headers(ONE_YEAR_OF_HTTPS);
      return;
    }
    if (isLoopback(hostNameOf(request.headers.host ?? ""))) return;
    return reply.code(421).send(
      failureBody({
        code: "HOST_REFUSED",
        message: `this office does not answer to the name "${(request.headers.host ?? "").slice(0, 100)}"`,
        hint: "Open it as http://localhost or http://127.0.0.1 with its port.",
      }),
    );
  });
}
