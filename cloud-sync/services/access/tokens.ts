import { randomUUID } from "node:crypto";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Database } from "../../database/database.ts";
import { Failure } from "../http/failure.ts";
import type { Person, Role } from "./access.ts";
import { hashOfToken, newToken } from "./access-secret.ts";
import { checkName } from "./names.ts";

const PREFIX = "tlst_";
const SHAPE = /^tlst_[\w-]{43}$/;
/** So seldom is written down that a token was used. */
const USED_EVERY_MS = 60_000;
const TOKENS_MAX = 1_000;

export interface Token {
  readonly name: string;
  readonly role: Role;
  /** null: of the whole company. */
  readonly factoryId: string | null;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string | null;
  /** To the minute. */
  readonly lastUsedAt: string | null;
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly factoryId?: string | undefined;
  /** UTC epoch ms. */
  readonly expiresMs?: number | undefined;
}

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly factory_id: string | null;
  readonly created_at: Date;
  readonly created_by: string;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
}

const COLUMNS = "id, name, role, factory_id, created_at, created_by, expires_at, last_used_at";

/** Bearer tokens of programs: a factory's mirror, a report, another system. */
export class Tokens {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** @returns what the program sends; it can't be had again. @throws Failure 400, 409 when the name is taken */
  async add({ name, role, factoryId, expiresMs }: NewToken, by: string): Promise<string> {
    const checked = checkName(name, "a token's name");
    const token = `${PREFIX}${newToken()}`;
    const { rows } = await this.#database.query<{ count: number }>("SELECT count(*) AS count FROM app.token");
    if ((rows[0]?.count ?? 0) >= TOKENS_MAX)
      throw new Failure(409, "TOO_MANY", `there are ${TOKENS_MAX} tokens already`, { hint: "Remove some." });
    const { rowCount } = await this.#database.query(
      `INSERT INTO app.token (id, name, token_hash, role, factory_id, created_at, created_by, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING`,
      [
        randomUUID(),
        checked,
        hashOfToken(token),
        role,
        factoryId ?? null,
        new Date(this.#clock.nowMs()),
        by,
        expiresMs === undefined ? null : new Date(expiresMs),
      ],
    );
    if (rowCount === 0)
      throw new Failure(409, "NAME_TAKEN", `there is a token "${checked}" already`, {
        hint: "Remove it first, or take another name.",
      });
    return token;
  }

  async list(): Promise<Token[]> {
    const { rows } = await this.#database.query<TokenRow>(`SELECT ${COLUMNS} FROM app.token ORDER BY name`);
    return rows.map((row) => ({
      name: row.name,
      role: row.role,
      factoryId: row.factory_id,
      createdAt: row.created_at.toISOString(),
      createdBy: row.created_by,
      expiresAt: row.expires_at?.toISOString() ?? null,
      lastUsedAt: row.last_used_at?.toISOString() ?? null,
    }));
  }

  /** @returns whether it was there */
  async remove(name: string): Promise<boolean> {
    if (name.includes("\0")) return false;
    const { rowCount } = await this.#database.query("DELETE FROM app.token WHERE name = $1", [name]);
    return rowCount === 1;
  }

  /** @throws EdgeError DATABASE_UNAVAILABLE */
  async personOf(token: string): Promise<Person | undefined> {
    if (!SHAPE.test(token)) return undefined;
    const now = this.#clock.nowMs();
    const { rows } = await this.#database.prepared<TokenRow>(
      "access-token",
      `SELECT ${COLUMNS} FROM app.token WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)`,
      [hashOfToken(token), new Date(now)],
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    if (row.last_used_at === null || now - row.last_used_at.getTime() > USED_EVERY_MS)
      await this.#database.query("UPDATE app.token SET last_used_at = $2 WHERE id = $1", [row.id, new Date(now)]);
    const person = { id: `token:${row.id}`, name: row.name, role: row.role, kind: "token" } as const;
    return row.factory_id === null ? person : { ...person, factoryId: row.factory_id };
  }
}
