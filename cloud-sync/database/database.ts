import pg from "pg";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";

/** Anything that SQL can be put to: the pool, or the one connection of a transaction. */
export interface Sql {
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>;
  /** As query, prepared under a name: for what is asked again and again. */
  prepared<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    name: string,
    text: string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>;
}

export interface DatabaseOptions {
  /** postgres://… */
  readonly url: string;
  /** Connections at most. */
  readonly connectionsMax?: number;
  /** Shown by the server in pg_stat_activity. */
  readonly applicationName?: string;
  /** A statement that takes longer is ended by the server; 0 is never. */
  readonly statementTimeoutMs?: number;
}

const CONNECT_MS_MAX = 10_000;
const CONNECTIONS_MAX = 8;

/** SQLSTATE classes after which the same transaction may well succeed. */
const TRANSIENT = /^(?:08|40|53|55P03|57P0[1-4]|58)/;

/** int8 as number (all of ours are below 2^53), timestamps as Date; bytea as Buffer. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** A pool of connections to PostgreSQL or Citus. */
export class Database implements Sql, AsyncDisposable {
  readonly #pool: pg.Pool;
  readonly url: string;

  constructor(options: DatabaseOptions) {
    this.url = options.url;
    this.#pool = new pg.Pool({
      connectionString: options.url,
      max: options.connectionsMax ?? CONNECTIONS_MAX,
      application_name: options.applicationName ?? "tailstock",
      connectionTimeoutMillis: CONNECT_MS_MAX,
      statement_timeout: options.statementTimeoutMs ?? 0,
      idle_in_transaction_session_timeout: 120_000,
    });
    // A connection that breaks while it rests: the next query opens another, and says so if it can't. One that breaks between the
    // statements of a transaction is noticed by the next of them; unheard, the event would end the process.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<pg.QueryResult<Row>> {
    return guarded(() => this.#pool.query<Row>(text, values as unknown[]));
  }

  async prepared<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    name: string,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<pg.QueryResult<Row>> {
    return guarded(() => this.#pool.query<Row>({ name, text, values: values as unknown[] }));
  }

  /** A connection of one's own: for COPY, session locks, LISTEN. Release it in any case; `release(true)` closes it. */
  async connect(): Promise<pg.PoolClient> {
    return guarded(() => this.#pool.connect());
  }

  /**
   * Runs the work in one transaction; what it throws rolls back and is thrown on.
   * @throws EdgeError DATABASE_UNAVAILABLE when the transaction may be tried again, DATABASE_REFUSED when it is wrong
   */
  async transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.connect();
    let broken = false;
    const sql: Sql = {
      query: (text, values = []) => guarded(() => client.query(text, values as unknown[])),
      prepared: (name, text, values = []) => guarded(() => client.query({ name, text, values: values as unknown[] })),
    };
    try {
      await sql.query("BEGIN");
      const result = await work(sql);
      const { command } = await sql.query("COMMIT");
      // PostgreSQL takes the COMMIT of a transaction in which a statement has failed for a ROLLBACK, and reports no error.
      if (command !== "COMMIT")
        throw new EdgeError(
          "DATABASE_REFUSED",
          "a transaction was to be committed after one of its statements had failed",
        );
      return result;
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {
        broken = true;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw databaseError(error);
  }
}

/** What went wrong in our words: whether trying again can help is in its code. */
export function databaseError(error: unknown): unknown {
  if (error instanceof EdgeError) return error;
  const code = (error as { code?: unknown }).code;
  const isServer = error instanceof pg.DatabaseError;
  if (isServer && typeof code === "string" && !TRANSIENT.test(code))
    return new EdgeError("DATABASE_REFUSED", `PostgreSQL refuses: ${error.message} (${code})`, {
      cause: error,
      hint: code.startsWith("28")
        ? "Check user and password in the database's URL."
        : "Look at the statement and at the server's log.",
    });
  if (isServer || typeof code === "string" || /timeout|terminated|ended|closed|not queryable/i.test(messageOf(error)))
    return new EdgeError("DATABASE_UNAVAILABLE", `the database does not answer: ${messageOf(error)}`, {
      cause: error,
      hint: "Check that the server runs, its address and port, and how many connections it allows.",
    });
  return error;
}

/** SQLSTATE of a refusal, as databaseError keeps it; undefined when it is none. */
export function sqlStateOf(error: unknown): string | undefined {
  const cause = error instanceof EdgeError ? error.cause : error;
  return cause instanceof pg.DatabaseError ? cause.code : undefined;
}
