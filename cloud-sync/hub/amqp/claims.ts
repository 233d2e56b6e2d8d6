import { createHmac, timingSafeEqual } from "node:crypto";
import type { AccessPolicies, AccessPolicy, Right } from "../ports.ts";
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
export function claimOfToken(token: string, policies: AccessPolicies, nowMs: number): Claim {
  const [scheme, fields = ""] = token.trim().split(/\s+/, 2);
  if (scheme !== "SharedAccessSignature") throw unauthorized("not a shared access signature");
  const field = new Map(
    fields.split("&").map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)] as const;
    }),
  );
  const resource = field.get("sr");
  const signature = field.get("sig");
  const expiry = Number(field.get("se"));
  const policyName = field.get("skn");
  if (resource === undefined || signature === undefined || !Number.isFinite(expiry)) {
    throw unauthorized("the shared access signature lacks sr, sig or se");
  }
  if (policyName === undefined || policyName === "") {
    throw unauthorized("the shared access signature names no shared access policy (skn)");
  }
  const policy = policyOf(decode(policyName), policies);
  const text = `${resource}\n${field.get("se")}`;
  const given = Buffer.from(decode(signature), "base64");
  const signed = keysOf(policy).some((key) =>
    [Buffer.from(key, "base64"), key].some((secret) =>
      sameBytes(createHmac("sha256", secret).update(text).digest(), given),
    ),
  );
  if (!signed) {
    throw unauthorized(`the signature does not fit shared access policy '${policy.name}': wrong key or altered token`);
  }
  if (expiry * 1000 <= nowMs) throw unauthorized(`the token expired at ${iso(expiry * 1000)}`);
  const decoded = decode(resource);
  const path = decoded.includes("://") ? pathOf(decoded) : pathOf(`//${decoded}`.replace(/^\/\/[^/]*/, ""));
  return { policy: policy.name, rights: policy.rights, path, expiresMs: expiry * 1000 };
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

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unauthorized("the shared access signature is not URI encoded");
  }
}

function iso(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}

function unauthorized(description: string): AmqpError {
  return new AmqpError("amqp:unauthorized-access", description);
}
