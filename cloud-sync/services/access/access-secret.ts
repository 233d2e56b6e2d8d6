import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { sign, unsign } from "@fastify/cookie";
import type { Database } from "../../database/database.ts";

const SECRET_BYTES = 32;

/** The key by which cookies and CSRF tokens are signed: one for all services over a database, made by the first. */
export class AccessSecret {
  readonly #database: Database;
  #secret: Promise<Buffer> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** What is signed for one purpose is not good for another. */
  async sign(purpose: string, value: string): Promise<string> {
    return sign(value, await this.#keyFor(purpose));
  }

  /** What was signed for this purpose; undefined when it was not signed by us. */
  async unsign(purpose: string, signed: string): Promise<string | undefined> {
    const result = unsign(signed, await this.#keyFor(purpose));
    return result.valid ? result.value : undefined;
  }

  /** Belongs to a session, and to no other. */
  async csrfOf(sessionToken: string): Promise<string> {
    return createHmac("sha256", await this.#key())
      .update(`csrf\0${sessionToken}`)
      .digest("base64url");
  }

  async #keyFor(purpose: string): Promise<Buffer> {
    return createHmac("sha256", await this.#key())
      .update(purpose)
      .digest();
  }

  #key(): Promise<Buffer> {
    this.#secret ??= this.#load().catch((error: unknown) => {
      this.#secret = undefined;
      throw error;
    });
    return this.#secret;
  }

  async #load(): Promise<Buffer> {
    await this.#database.query(
      "INSERT INTO app.access_secret (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
      [randomBytes(SECRET_BYTES)],
    );
    const { rows } = await this.#database.query<{ secret: Buffer }>(
      "SELECT secret FROM app.access_secret WHERE id = 1",
    );
    return rows[0]?.secret as Buffer;
  }
}

/** A secret of 256 bits, as text for cookies and headers. */
export function newToken(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

/** What is stored of a token: a plain hash is enough, for a token can't be guessed as a password can. */
export function hashOfToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

export function areEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
