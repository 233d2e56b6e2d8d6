import { timingSafeEqual } from "node:crypto";
import type { AccessPolicies, AccessPolicy, Right } from "../ports.ts";
import { isSignedBy, parseSas } from "../sas.ts";
import { pathOf } from "./address.ts";
import { AmqpError } from "./amqp-error.ts";

/** A client puts one token for each link; more than it could hold links is not a client of ours. */
const CLAIMS_MAX = 1000;

/** What a token proved. */
export interface Claim {
  readonly policy: string;
  readonly rights: readonly Right[];
  /** Everything at and under it; "" is all of the hub. */
  readonly path: string;
  /** Infinity for a user name and key that were proved by themselves. */
  readonly expiresMs: number;
}

/** The claims of one connection: by SASL PLAIN once, by $cbs as often as the client likes. */
export class Claims {
  readonly #byPath = new Map<string, Claim>();

  /** A later claim for the same path takes the place of the earlier one. @throws AmqpError */
  put(claim: Claim, nowMs: number): void {
    const key = `${claim.path.toLowerCase()}\n${claim.policy}`;
    if (!this.#byPath.has(key) && this.#byPath.size >= CLAIMS_MAX) {
      for (const [other, { expiresMs }] of this.#byPath) if (expiresMs <= nowMs) this.#byPath.delete(other);
      if (this.#byPath.size >= CLAIMS_MAX) {
        throw new AmqpError("amqp:resource-limit-exceeded", `more than ${CLAIMS_MAX} tokens on one connection`);
      }
    }
    this.#byPath.set(key, claim);
  }

  get empty(): boolean {
    return this.#byPath.size === 0;
  }

  /** @throws AmqpError amqp:unauthorized-access, with what is missing */
  demand(path: string, right: Right, nowMs: number): void {
    const covering = [...this.#byPath.values()].filter((claim) => covers(claim.path, path));
    const valid = covering.filter(({ expiresMs }) => expiresMs > nowMs);
    if (valid.some(({ rights }) => rights.includes(right))) return;
    const last = valid[0] ?? covering[0];
    if (last === undefined) throw unauthorized(`no token was put for '${path}'`);
    if (last.expiresMs <= nowMs) throw unauthorized(`the token for '${path}' expired at ${iso(last.expiresMs)}`);
    throw unauthorized(`shared access policy '${last.policy}' has no right ${right}, which '${path}' needs`);
  }
}

/**
 * Checks a shared access signature of one of the hub's policies. IoT Hub's clients decode the key from base64 before
 * they sign, those of Event Hubs sign with its characters: either is accepted.
 * @throws AmqpError amqp:unauthorized-access, with the reason
 */
export function claimOfToken(text: string, policies: AccessPolicies, nowMs: number): Claim {
  const token = parseSas(text.trim());
  if (token === undefined) throw unauthorized("that is not a shared access signature");
  if (token.policyName === undefined) {
    throw unauthorized("the shared access signature names no shared access policy (skn)");
  }
  const policy = policyOf(token.policyName, policies);
  const keys = keysOf(policy).flatMap((key) => [key, Buffer.from(key).toString("base64")]);
  if (!isSignedBy(token, keys)) {
    throw unauthorized(`the signature does not fit shared access policy '${policy.name}': wrong key or altered token`);
  }
  const { resource, expiresMs } = token;
  if (expiresMs <= nowMs) throw unauthorized(`the token expired at ${iso(expiresMs)}`);
  // IoT Hub's begin with the host, those of Event Hubs with the scheme.
  const path = pathOf(resource.includes("://") ? resource : `amqps://${resource}`);
  return { policy: policy.name, rights: policy.rights, path, expiresMs };
}

/**
 * SASL PLAIN: a policy and its key as Event Hubs has it, or `policy@sas.root.hub` and a signature as IoT Hub has it.
 * @throws AmqpError amqp:unauthorized-access
 */
export function claimOfPassword(user: string, password: string, policies: AccessPolicies, nowMs: number): Claim {
  if (password.startsWith("SharedAccessSignature ")) return claimOfToken(password, policies, nowMs);
  const policy = policyOf(user.split("@", 1)[0] ?? "", policies);
  if (!keysOf(policy).some((key) => sameBytes(Buffer.from(key), Buffer.from(password)))) {
    throw unauthorized(`wrong key for shared access policy '${policy.name}'`);
  }
  return { policy: policy.name, rights: policy.rights, path: "", expiresMs: Number.POSITIVE_INFINITY };
}

function policyOf(name: string, policies: AccessPolicies): AccessPolicy {
  const policy = policies.get(name);
  if (policy === undefined) throw unauthorized(`there is no shared access policy '${name}'`);
  return policy;
}

function keysOf(policy: AccessPolicy): string[] {
  return [policy.primaryKey, policy.secondaryKey];
}

function covers(claimed: string, path: string): boolean {
  const above = claimed.toLowerCase();
  const below = path.toLowerCase();
  return above === "" || below === above || below.startsWith(`${above}/`);
}

function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function iso(ms: number): string {
  return new Date(Math.min(ms, 8.64e15)).toISOString();
}

function unauthorized(description: string): AmqpError {
  return new AmqpError("amqp:unauthorized-access", description);
}
