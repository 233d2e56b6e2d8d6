import { randomUUID } from "node:crypto";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Database, Sql } from "../../database/database.ts";
import { Failure } from "../http/failure.ts";
import type { Role } from "./access.ts";
import { checkName, loginOf } from "./names.ts";
import { checkPassword, newPassword, type Passwords } from "./passwords.ts";

const ACCOUNTS_MAX = 10_000;
export const FIRST_ADMINISTRATOR = "administrator";

export interface Account {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  readonly createdAt: string;
  readonly changedAt: string;
  readonly changedBy: string;
}

export interface FirstAdministrator {
  readonly name: string;
  readonly password: string;
}

export interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly password: string;
  readonly disabled: boolean;
  readonly created_at: Date;
  readonly changed_at: Date;
  readonly changed_by: string;
}

const COLUMNS = "id, name, role, password, disabled, created_at, changed_at, changed_by";

/** Local accounts. There is always one administrator who may log in. */
export class Accounts {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #passwords: Passwords;

  constructor(database: Database, clock: Clock, passwords: Passwords) {
    this.#database = database;
    this.#clock = clock;
    this.#passwords = passwords;
  }

  /**
   * Makes an administrator where there is no account at all; of several services that start at once, one does.
   * @param keep is given name and password before the account is there for good, to write them down: when that fails, there is none
   * @returns name and password, which can't be had again; undefined when there are accounts
   */
  async ensureFirstAdministrator(
    keep: (first: FirstAdministrator) => void = () => undefined,
  ): Promise<FirstAdministrator | undefined> {
    const { rows } = await this.#database.query("SELECT 1 FROM app.account LIMIT 1");
    if (rows.length > 0) return undefined;
    const first = { name: FIRST_ADMINISTRATOR, password: newPassword() };
    const hash = await this.#passwords.hash(first.password);
    return this.#database.transaction(async (sql) => {
      if (!(await this.#insert(sql, first.name, "administrator", hash, "first start"))) return undefined;
      keep(first);
      return first;
    });
  }

  /** @throws Failure 400, 409 when the name is taken */
  async add(account: { name: string; role: Role; password: string }, by: string): Promise<Account> {
    const name = checkName(account.name, "an account's name");
    checkPassword(account.password, name);
    const { rows } = await this.#database.query<{ count: number }>("SELECT count(*) AS count FROM app.account");
    if ((rows[0]?.count ?? 0) >= ACCOUNTS_MAX)
      throw new Failure(409, "TOO_MANY", `there are ${ACCOUNTS_MAX} accounts already`);
    const hash = await this.#passwords.hash(account.password);
    if (!(await this.#insert(this.#database, name, account.role, hash, by)))
      throw new Failure(409, "NAME_TAKEN", `there is an account "${name}" already`);
    const made = await this.byName(name);
    if (made === undefined) throw new Failure(404, "ACCOUNT_UNKNOWN", `the account "${name}" was deleted meanwhile`);
    return accountOf(made);
  }

  async list(): Promise<Account[]> {
    const { rows } = await this.#database.query<AccountRow>(`SELECT ${COLUMNS} FROM app.account ORDER BY login`);
    return rows.map(accountOf);
  }

  async byName(name: string): Promise<AccountRow | undefined> {
    const login = loginOf(name);
    if (login.includes("\0")) return undefined;
    const { rows } = await this.#database.query<AccountRow>(`SELECT ${COLUMNS} FROM app.account WHERE login = $1`, [
      login,
    ]);
    return rows[0];
  }

  async byId(id: string): Promise<AccountRow | undefined> {
    if (id.includes("\0")) return undefined;
    const { rows } = await this.#database.query<AccountRow>(`SELECT ${COLUMNS} FROM app.account WHERE id = $1`, [id]);
    return rows[0];
  }

  /** @throws Failure 404, 409 when no administrator would be left */
  async change(id: string, change: { role?: Role; disabled?: boolean }, by: string): Promise<Account> {
    return this.#keepingAnAdministrator(async (sql) => {
      const { rows } = await sql.query<AccountRow>(
        `UPDATE app.account SET role = coalesce($2, role), disabled = coalesce($3, disabled), changed_at = $4, changed_by = $5
          WHERE id = $1 RETURNING ${COLUMNS}`,
        [id, change.role ?? null, change.disabled ?? null, new Date(this.#clock.nowMs()), by],
      );
      const [row] = rows;
      if (row === undefined) throw unknownAccount();
      return accountOf(row);
    });
  }

  /** @throws Failure 400, 404 */
  async setPassword(id: string, password: string, by: string): Promise<void> {
    const account = await this.byId(id);
    if (account === undefined) throw unknownAccount();
    checkPassword(password, account.name);
    await this.storeHash(id, await this.#passwords.hash(password), by);
  }

  async storeHash(id: string, hash: string, by: string): Promise<void> {
    await this.#database.query("UPDATE app.account SET password = $2, changed_at = $3, changed_by = $4 WHERE id = $1", [
      id,
      hash,
      new Date(this.#clock.nowMs()),
      by,
    ]);
  }

  /** Events keep the name of their author. @throws Failure 404, 409 when no administrator would be left */
  async remove(id: string): Promise<void> {
    await this.#keepingAnAdministrator(async (sql) => {
      const { rowCount } = await sql.query("DELETE FROM app.account WHERE id = $1", [id]);
      if (rowCount === 0) throw unknownAccount();
    });
  }

  async #insert(sql: Sql, name: string, role: Role, hash: string, by: string): Promise<boolean> {
    const { rowCount } = await sql.query(
      `INSERT INTO app.account (id, login, name, role, password, created_at, changed_at, changed_by)
       VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (login) DO NOTHING`,
      [randomUUID(), loginOf(name), name, role, hash, new Date(this.#clock.nowMs()), by],
    );
    return rowCount === 1;
  }

  async #keepingAnAdministrator<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#database.transaction(async (sql) => {
      // Two who demote one another wait for each other here.
      await sql.query("SELECT id FROM app.account WHERE role = 'administrator' ORDER BY id FOR UPDATE");
      const result = await work(sql);
      const { rows } = await sql.query(
        "SELECT 1 FROM app.account WHERE role = 'administrator' AND NOT disabled LIMIT 1",
      );
      if (rows.length === 0)
        throw new Failure(409, "LAST_ADMINISTRATOR", "nobody would be left who may manage accounts", {
          hint: "Make another account an administrator first.",
        });
      return result;
    });
  }
}

function unknownAccount(): Failure {
  return new Failure(404, "ACCOUNT_UNKNOWN", "there is no such account");
}

export function accountOf(row: AccountRow): Account {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    disabled: row.disabled,
    createdAt: row.created_at.toISOString(),
    changedAt: row.changed_at.toISOString(),
    changedBy: row.changed_by,
  };
}
