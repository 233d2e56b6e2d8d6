import type { FastifyReply, FastifyRequest } from "fastify";

/** Read here, so that access works in every server without a plugin of its own; the first of a name counts (RFC 6265). */
export function cookieOf(request: FastifyRequest, name: string): string | undefined {
  for (const pair of request.headers.cookie?.split(";") ?? []) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return decoded(pair.slice(at + 1).trim());
  }
  return undefined;
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

export interface CookieOptions {
  readonly path: string;
  readonly secure: boolean;
  readonly sameSite: "Strict" | "Lax";
  /** Until the browser is closed when left out. */
  readonly maxAgeMs?: number;
}

/** Never readable by scripts. An empty value removes it. */
export function setCookie(reply: FastifyReply, name: string, value: string, options: CookieOptions): void {
  const { path, secure, sameSite, maxAgeMs } = options;
  const maxAge = value === "" ? 0 : maxAgeMs === undefined ? undefined : Math.floor(maxAgeMs / 1000);
  const attributes = [
    `${name}=${encodeURIComponent(value)}`,
    `Path=${path}`,
    ...(maxAge === undefined ? [] : [`Max-Age=${maxAge}`]),
    "HttpOnly",
    ...(secure ? ["Secure"] : []),
    `SameSite=${sameSite}`,
  ];
  reply.header("set-cookie", attributes.join("; "));
}

/** A cookie with this beginning is taken by browsers over https only, and from no other host of the domain. */
export function cookieName(name: string, secure: boolean): string {
  return secure ? `__Host-${name}` : name;
}
