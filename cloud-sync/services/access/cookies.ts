import { fastifyCookie } from "@fastify/cookie";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Cookies are read and written here, so that access works in every server without a plugin of its own. */
export function cookieOf(request: FastifyRequest, name: string): string | undefined {
  const header = request.headers.cookie;
  if (header === undefined) return undefined;
  const cookies = fastifyCookie.parse(header);
  return Object.hasOwn(cookies, name) ? cookies[name] : undefined;
}

export interface CookieOptions {
  readonly path: string;
  readonly secure: boolean;
  readonly sameSite: "strict" | "lax";
  /** Until the browser is closed when left out. */
  readonly maxAgeMs?: number;
}

/** Never readable by scripts. An empty value removes it. */
export function setCookie(reply: FastifyReply, name: string, value: string, options: CookieOptions): void {
  const { path, secure, sameSite, maxAgeMs } = options;
  const maxAge = value === "" ? 0 : maxAgeMs === undefined ? undefined : Math.floor(maxAgeMs / 1000);
  reply.header(
    "set-cookie",
    fastifyCookie.serialize(name, value, {
      path,
      secure,
      sameSite,
      httpOnly: true,
      ...(maxAge === undefined ? {} : { maxAge }),
    }),
  );
}

/** A cookie with this beginning is taken by browsers over https only, and from no other host of the domain. */
export function cookieName(name: string, secure: boolean): string {
  return secure ? `__Host-${name}` : name;
}
