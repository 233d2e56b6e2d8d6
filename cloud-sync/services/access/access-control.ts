import type { FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { Failure } from "../http/failure.ts";
import { type Access, isAtLeast, type Person, type RequireOptions, type Role } from "./access.ts";
import type { AccessOptions } from "./access-config.ts";
import { AccessSecret, areEqual } from "./access-secret.ts";
import { Accounts } from "./accounts.ts";
import { loginOf } from "./names.ts";
import { checkIssuer } from "./oidc/issuer.ts";
import { Oidc } from "./oidc/oidc.ts";
import { Passwords } from "./passwords.ts";
import { Sessions } from "./sessions.ts";
import { Throttle } from "./throttle.ts";
import { Tokens } from "./tokens.ts";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
const CSRF_HEADER = "x-csrf-token";

/** Access with what the office needs to let people in and out. */
export class AccessControl implements Access {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  /** undefined: not configured. */
  readonly oidc: Oidc | undefined;
  readonly #passwords: Passwords;
  readonly #throttle: Throttle;
  readonly #options: AccessOptions;
  readonly #known = new WeakMap<FastifyRequest, Promise<Person | undefined>>();

  constructor(options: AccessOptions) {
    const { database, config, clock, logger } = options;
    this.#options = options;
    const secret = new AccessSecret(database);
    this.#passwords = new Passwords(config.passwordCost);
    this.#throttle = new Throttle(database, clock);
    this.accounts = new Accounts(database, clock, this.#passwords);
    this.tokens = new Tokens(database, clock);
    const { secure, idleMs, sessionMsMax, oidc } = config;
    this.sessions = new Sessions({ database, secret, clock, secure, idleMs, sessionMsMax });
    this.oidc = oidc === undefined ? undefined : new Oidc({ config: oidc, secret, secure, clock, logger });
  }

  personOf(request: FastifyRequest): Promise<Person | undefined> {
    let person = this.#known.get(request);
    if (person === undefined) {
      person = this.#find(request);
      this.#known.set(request, person);
    }
    return person;
  }

  require(role: Role, { heedsFactory = false }: RequireOptions = {}): preHandlerAsyncHookHandler {
    return async (request) => {
      const person = await this.personOf(request);
      if (person === undefined)
        throw new Failure(401, "LOGIN_NEEDED", "who asks is not known", {
          hint: "Log in, or send a token: Authorization: Bearer …",
          headers: { "www-authenticate": 'Bearer realm="tailstock"' },
        });
      if (person.kind !== "token" && !SAFE_METHODS.has(request.method)) await this.#checkCsrf(request);
      if (!isAtLeast(person.role, role))
        throw new Failure(403, "ROLE_TOO_LOW", `this needs the role ${role}; ${person.name} has ${person.role}`, {
          hint: "An administrator can give another role.",
        });
      if (person.factoryId !== undefined && !heedsFactory)
        throw new Failure(403, "FACTORY_ONLY", `the token ${person.name} is for ${person.factoryId} alone`, {
          hint: "This address shows more than one factory; use a token of the whole company.",
        });
      request.person = person;
    };
  }

  /**
   * Checks a password; takes the same time for names that are not known.
   * @throws Failure 401, 429
   */
  async login(name: string, password: string, address: string): Promise<Person> {
    const login = loginOf(name);
    await this.#throttle.begin(login, address);
    const account = await this.accounts.byName(name);
    const { isRight, isOld } = await this.#passwords.verify(password, account?.password);
    if (account === undefined || !isRight || account.disabled) {
      // Bounded by the throttle; who looks for somebody who guesses finds them here.
      this.#options.logger.warn({ account: account?.name ?? null, from: address }, "a login was refused");
      throw new Failure(401, "LOGIN_REFUSED", "name or password is wrong", {
        hint: "An administrator can set another password.",
      });
    }
    await this.#throttle.succeeded(login, address);
    if (isOld) await this.accounts.storeHash(account.id, await this.#passwords.hash(password), account.changed_by);
    return { id: account.id, name: account.name, role: account.role, kind: "local" };
  }

  /** @throws EdgeError DATABASE_UNAVAILABLE */
  async ping(): Promise<void> {
    await this.#options.database.query("SELECT 1");
  }

  async #find(request: FastifyRequest): Promise<Person | undefined> {
    const { authorization } = request.headers;
    if (authorization === undefined) return this.sessions.personOf(request);
    // Who shows a token means it: no session takes the place of one that is not good.
    const bearer = /^Bearer +([\w-]+)$/i.exec(authorization)?.[1];
    return bearer === undefined ? undefined : this.tokens.personOf(bearer);
  }

  async #checkCsrf(request: FastifyRequest): Promise<void> {
    const wanted = await this.sessions.csrfOf(request);
    const given = request.headers[CSRF_HEADER];
    if (wanted !== undefined && typeof given === "string" && areEqual(given, wanted)) return;
    this.#options.logger.warn(
      { url: request.url.slice(0, 200), from: request.ip },
      "a request without CSRF token was refused",
    );
    throw new Failure(403, "CSRF_REFUSED", `the header ${CSRF_HEADER} is missing or of another session`, {
      hint: "Load the page anew. Programs use a token instead of a session.",
    });
  }
}

/** @throws EdgeError CONFIG_INVALID for an identity provider that could be listened to on its way */
export function createAccess(options: AccessOptions): AccessControl {
  const problem = options.config.oidc && checkIssuer(options.config.oidc.issuer);
  if (problem !== undefined)
    throw new EdgeError("CONFIG_INVALID", `office.oidc.issuer: ${problem}`, {
      hint: "Take the https address that the provider gives; its configuration is at …/.well-known/openid-configuration.",
    });
  return new AccessControl(options);
}
