import type { FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Database } from "../../database/database.ts";
import type { Person, Role } from "./access.ts";
import { type AccessSecret, hashOfToken, newToken } from "./access-secret.ts";
import { cookieName, cookieOf, setCookie } from "./cookies.ts";

const IDLE_MS = 8 * 3_600_000;
const SESSION_MS_MAX = 7 * 24 * 3_600_000;
/** So seldom is written down that a session was used. */
const SEEN_EVERY_MS = 60_000;
/** Of one person; the oldest ends when there are more. */
const SESSIONS_PER_PERSON_MAX = 20;

export interface SessionsOptions {
  readonly database: Database;
  readonly secret: AccessSecret;
  readonly clock: Clock;
  readonly secure: boolean;
  readonly idleMs?: number | undefined;
  readonly sessionMsMax?: number | undefined;
}

interface SessionRow {
  readonly kind: "local" | "oidc";
  readonly person_id: string;
  readonly name: string;
  readonly role: Role;
  readonly seen_at: Date;
}

/** Who has logged in: a signed cookie with a secret, whose hash is a row until it ends. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #idleMs: number;
  readonly #sessionMsMax: number;
  readonly #cookie: string;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#idleMs = options.idleMs ?? IDLE_MS;
    this.#sessionMsMax = options.sessionMsMax ?? SESSION_MS_MAX;
    this.#cookie = cookieName("tailstock_session", options.secure);
  }

  /** A new session, whatever there was before. @returns its CSRF token */
  async open(person: Person, request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const { database, secret, clock, secure } = this.#options;
    await this.#end(request);
    const token = newToken();
    const now = clock.nowMs();
    await database.query(
      "INSERT INTO app.session (token_hash, kind, person_id, name, role, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
      [
        hashOfToken(token),
        person.kind,
        person.id,
        person.name,
        person.role,
        new Date(now),
        new Date(now + this.#sessionMsMax),
      ],
    );
    await this.#tidy(person.id, now);
    const value = await secret.sign("session", token);
    setCookie(reply, this.#cookie, value, { path: "/", secure, sameSite: "Strict", maxAgeMs: this.#sessionMsMax });
    return secret.csrfOf(token);
  }

  /** Ends the request's session, if it has one. */
  async close(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await this.#end(request);
    setCookie(reply, this.#cookie, "", { path: "/", secure: this.#options.secure, sameSite: "Strict" });
  }

  /** Ends all sessions of a person, but for the request's own when one is given. */
  async closeAllOf(personId: string, except?: FastifyRequest): Promise<void> {
    const token = except && (await this.#tokenOf(except));
    await this.#options.database.query("DELETE FROM app.session WHERE person_id = $1 AND token_hash <> $2", [
      personId,
      token === undefined ? Buffer.alloc(0) : hashOfToken(token),
    ]);
  }

  /** @throws EdgeError DATABASE_UNAVAILABLE */
  async personOf(request: FastifyRequest): Promise<Person | undefined> {
    const token = await this.#tokenOf(request);
    if (token === undefined) return undefined;
    const { database, clock } = this.#options;
    const now = clock.nowMs();
    const hash = hashOfToken(token);
    const { rows } = await database.prepared<SessionRow>(
      "access-session",
      `SELECT s.kind, s.person_id, s.seen_at, coalesce(a.name, s.name) AS name, coalesce(a.role, s.role) AS role
         FROM app.session s LEFT JOIN app.account a ON a.id = s.person_id AND s.kind = 'local'
        WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.seen_at > $3
          AND (s.kind <> 'local' OR (a.id IS NOT NULL AND NOT a.disabled))`,
      [hash, new Date(now), new Date(now - this.#idleMs)],
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    if (now - row.seen_at.getTime() > SEEN_EVERY_MS)
      await database.query("UPDATE app.session SET seen_at = $2 WHERE token_hash = $1", [hash, new Date(now)]);
    return { id: row.person_id, name: row.name, role: row.role, kind: row.kind };
  }

  /** The token that the session's changing requests must carry; undefined without a session cookie of ours. */
  async csrfOf(request: FastifyRequest): Promise<string | undefined> {
    const token = await this.#tokenOf(request);
    return token === undefined ? undefined : this.#options.secret.csrfOf(token);
  }

  async #end(request: FastifyRequest): Promise<void> {
    const token = await this.#tokenOf(request);
    if (token === undefined) return;
    await this.#options.database.query("DELETE FROM app.session WHERE token_hash = $1", [hashOfToken(token)]);
  }

  async #tokenOf(request: FastifyRequest): Promise<string | undefined> {
    const cookie = cookieOf(request, this.#cookie);
    return cookie === undefined ? undefined : this.#options.secret.unsign("session", cookie);
  }

  async #tidy(personId: string, now: number): Promise<void> {
    const { database } = this.#options;
    await database.query("DELETE FROM app.session WHERE expires_at <= $1 OR seen_at <= $2", [
      new Date(now),
      new Date(now - this.#idleMs),
    ]);
    const { rows } = await database.query<{ token_hash: Buffer }>(
      "SELECT token_hash FROM app.session WHERE person_id = $1 ORDER BY created_at DESC, token_hash OFFSET $2",
      [personId, SESSIONS_PER_PERSON_MAX],
    );
    if (rows.length > 0)
      await database.query("DELETE FROM app.session WHERE token_hash = ANY ($1::bytea[])", [
        rows.map(({ token_hash }) => token_hash),
      ]);
  }
}
