import type { FastifyReply, FastifyRequest } from "fastify";
import * as client from "openid-client";
import type { Logger } from "pino";
import type { Clock } from "../../../../edge/kernel/clock.ts";
import { messageOf } from "../../../../edge/kernel/errors.ts";
import { Failure } from "../../http/failure.ts";
import type { Person } from "../access.ts";
import type { OidcConfig } from "../access-config.ts";
import type { AccessSecret } from "../access-secret.ts";
import { cookieName, cookieOf, setCookie } from "../cookies.ts";
import { type Claims, claimAt, nameOf, roleOf } from "./claims.ts";

export const CALLBACK_PATH = "/api/session/oidc/callback";
const SCOPE = "openid profile email";
const TIMEOUT_S = 10;
const FLOW_MS_MAX = 10 * 60_000;

export interface OidcOptions {
  readonly config: OidcConfig;
  readonly secret: AccessSecret;
  readonly secure: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the browser keeps while its person is at the provider; signed. */
interface Flow {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly callbackUrl: string;
  readonly untilMs: number;
}

/** Logs people in by OpenID Connect: authorization code with PKCE, state and nonce. */
export class Oidc {
  readonly #options: OidcOptions;
  readonly #cookie: string;
  #provider: Promise<client.Configuration> | undefined;

  constructor(options: OidcOptions) {
    this.#options = options;
    this.#cookie = cookieName("tailstock_oidc", options.secure);
  }

  /** Where the browser is to go. @throws Failure 502 when the provider does not answer */
  async begin(request: FastifyRequest, reply: FastifyReply): Promise<URL> {
    const { config, secret, secure, clock } = this.#options;
    const provider = await this.#configuration();
    const protocol = secure ? "https" : request.protocol;
    const flow: Flow = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      callbackUrl: config.callbackUrl ?? `${protocol}://${request.host}${CALLBACK_PATH}`,
      untilMs: clock.nowMs() + FLOW_MS_MAX,
    };
    const signed = await secret.sign("oidc", Buffer.from(JSON.stringify(flow)).toString("base64url"));
    this.#setFlow(reply, signed);
    return client.buildAuthorizationUrl(provider, {
      redirect_uri: flow.callbackUrl,
      scope: config.scope ?? SCOPE,
      state: flow.state,
      nonce: flow.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(flow.verifier),
      code_challenge_method: "S256",
    });
  }

  /** Who came back. @throws Failure with a sentence for the person */
  async finish(request: FastifyRequest, reply: FastifyReply): Promise<Person> {
    const { config, logger } = this.#options;
    const flow = await this.#flowOf(request);
    // A flow is for one answer.
    this.#setFlow(reply, "");
    if (flow === undefined)
      throw new Failure(400, "OIDC_EXPIRED", "this login was begun elsewhere or more than ten minutes ago", {
        hint: "Begin it again.",
      });
    const provider = await this.#configuration();
    try {
      const url = new URL(flow.callbackUrl);
      url.search = new URL(request.url, url).search;
      const tokens = await client.authorizationCodeGrant(provider, url, {
        pkceCodeVerifier: flow.verifier,
        expectedState: flow.state,
        expectedNonce: flow.nonce,
        idTokenExpected: true,
      });
      const claims = await this.#claimsOf(provider, tokens);
      return this.#person(claims);
    } catch (error) {
      if (error instanceof Failure) throw error;
      logger.warn({ err: error, issuer: config.issuer }, "a login by the identity provider was refused");
      throw refusalOf(error);
    }
  }

  #person(claims: Claims & { readonly sub: string }): Person {
    const { config } = this.#options;
    const name = nameOf(claims, claims.sub);
    const role = roleOf(claims, config.roleClaim, config.roles);
    if (role === undefined)
      throw new Failure(403, "OIDC_NO_ROLE", `${name} is known, but has no role here`, {
        hint: `The identity provider's administrator gives roles by the claim ${config.roleClaim}.`,
      });
    return { id: `oidc:${config.issuer}#${claims.sub}`, name, role, kind: "oidc" };
  }

  async #claimsOf(
    provider: client.Configuration,
    tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
  ): Promise<Claims & { readonly sub: string }> {
    const claims = tokens.claims();
    if (claims === undefined) throw new Error("the provider sent no ID token");
    const { config } = this.#options;
    // Some providers put into the ID token no more than who it is.
    if (claimAt(claims, config.roleClaim) !== undefined && claims.name !== undefined) return claims;
    if (provider.serverMetadata().userinfo_endpoint === undefined) return claims;
    return { ...(await client.fetchUserInfo(provider, tokens.access_token, claims.sub)), ...claims };
  }

  async #flowOf(request: FastifyRequest): Promise<Flow | undefined> {
    const { secret, clock } = this.#options;
    const cookie = cookieOf(request, this.#cookie);
    const text = cookie === undefined ? undefined : await secret.unsign("oidc", cookie);
    if (text === undefined) return undefined;
    const flow = JSON.parse(Buffer.from(text, "base64url").toString()) as Flow;
    return flow.untilMs > clock.nowMs() ? flow : undefined;
  }

  /** Lax, for the browser comes back from another site. */
  #setFlow(reply: FastifyReply, value: string): void {
    const { secure } = this.#options;
    setCookie(reply, this.#cookie, value, { path: "/", secure, sameSite: "Lax", maxAgeMs: FLOW_MS_MAX });
  }

  #configuration(): Promise<client.Configuration> {
    this.#provider ??= this.#discover().catch((error: unknown) => {
      this.#provider = undefined;
      this.#options.logger.warn(
        { err: error, issuer: this.#options.config.issuer },
        "no word from the identity provider",
      );
      throw new Failure(502, "OIDC_UNREACHABLE", `the identity provider does not answer: ${messageOf(error)}`, {
        hint: "Try again later, or log in with an account of this office.",
      });
    });
    return this.#provider;
  }

  #discover(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.#options.config;
    const url = new URL(issuer);
    return client.discovery(
      url,
      clientId,
      undefined,
      clientSecret === undefined ? client.None() : client.ClientSecretPost(clientSecret),
      { timeout: TIMEOUT_S, ...(url.protocol === "http:" ? { execute: [client.allowInsecureRequests] } : {}) },
    );
  }
}

function refusalOf(error: unknown): Failure {
  if (error instanceof client.AuthorizationResponseError)
    return new Failure(403, "OIDC_REFUSED", `the identity provider said no: ${plain(error.error)}`, {
      hint: "Log in with another account there.",
    });
  if (error instanceof client.ResponseBodyError)
    return new Failure(403, "OIDC_REFUSED", `the identity provider refuses: ${plain(error.error)}`, {
      hint: "Begin the login again; an administrator looks at client id, secret and callback address.",
    });
  return new Failure(403, "OIDC_REFUSED", "the identity provider's answer does not belong to this login", {
    hint: "Begin it again.",
  });
}

/** Error codes come by the address that anybody can make up. */
function plain(text: string): string {
  return text.replace(/[^\w .-]/g, "").slice(0, 100);
}
