import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";
import { Failure } from "./failure.ts";

const WINDOW_MS = 60_000;
/** Addresses that are remembered. */
const ADDRESSES_MAX = 10_000;

/** Requests of one address to this scope, a minute. */
export async function addRateLimit(app: FastifyInstance, perMinuteMax: number): Promise<void> {
  await app.register(rateLimit, {
    max: perMinuteMax,
    timeWindow: WINDOW_MS,
    cache: ADDRESSES_MAX,
    errorResponseBuilder: (_request, { ttl }) => {
      const seconds = Math.max(1, Math.ceil(ttl / 1000));
      return new Failure(429, "TOO_MANY_REQUESTS", `more than ${perMinuteMax} requests a minute`, {
        hint: `Try again in ${seconds} seconds.`,
        headers: { "retry-after": String(seconds) },
      });
    },
  });
}
