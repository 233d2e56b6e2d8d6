import type { FastifyRequest, preHandlerAsyncHookHandler } from "fastify";

/** Each may do what those before it may. */
export const ROLES = ["viewer", "operator", "technician", "administrator"] as const;
export type Role = (typeof ROLES)[number];

/** Who asks. `name` is what stands as author in events. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** local: an account of ours. oidc: of the company's identity provider. token: a program, a factory's mirror. */
  readonly kind: "local" | "oidc" | "token";
  /** Of a token that is for one factory alone: whoever answers it must show and change nothing of others. */
  readonly factoryId?: string;
}

export interface RequireOptions {
  /** The handler heeds `person.factoryId`. Without it, tokens of one factory are refused. */
  readonly heedsFactory?: boolean;
}

/**
 * Finds out who asks, by session cookie or bearer token. Each service has one of its own over the same database, so that they may be
 * deployed apart.
 */
export interface Access {
  /** undefined: nobody we know. @throws EdgeError DATABASE_UNAVAILABLE */
  personOf(request: FastifyRequest): Promise<Person | undefined>;
  /**
   * A handler that lets pass who has at least this role, and answers 401 or 403 to others; with a cookie, a request that changes
   * something must carry the session's CSRF token in the header x-csrf-token. Sets `request.person`.
   */
  require(role: Role, options?: RequireOptions): preHandlerAsyncHookHandler;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set behind Access.require. */
    person?: Person;
  }
}

export function isAtLeast(role: Role, wanted: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}
