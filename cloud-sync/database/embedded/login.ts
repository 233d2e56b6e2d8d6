import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";

export const USER = "tailstock";
/** "TLOW": whoever keeps the server running holds this lock, and loses it when he dies. */
const OWNER_LOCK = 0x544c_4f57;
const CONNECT_MS_MAX = 5_000;
const CLAIM_LOOKS_MAX = 20;
const CLAIM_LOOK_MS = 50;
const CANNOT_CONNECT_NOW = "57P03";

export interface Login {
  readonly port: number;
  readonly password: string;
}

/** ready; starting: it starts, recovers or ends; refused: it does not know us; silent: nobody answers. */
export type Answer = "ready" | "starting" | "refused" | "silent";

export async function tryConnect(login: Login): Promise<Answer> {
  const client = clientOf(login);
  try {
    await client.connect();
    return "ready";
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) return "silent";
    return error.code === CANNOT_CONNECT_NOW ? "starting" : "refused";
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** undefined when a living process keeps the server already; else a connection that is to stay open as long as it is kept. */
export async function claimServer(login: Login): Promise<pg.Client | undefined> {
  const client = clientOf(login);
  await client.connect();
  for (let look = 0; look < CLAIM_LOOKS_MAX; look++) {
    const { rows } = await client.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1) AS got", [OWNER_LOCK]);
    if (rows[0]?.got) return client;
    // Of a process that was killed just now the server hears in a moment.
    await delay(CLAIM_LOOK_MS);
  }
  await client.end();
  return undefined;
}

export function clientOf({ port, password }: Login): pg.Client {
  const client = new pg.Client({
    ...{ host: "127.0.0.1", port, user: USER, password, database: "postgres" },
    connectionTimeoutMillis: CONNECT_MS_MAX,
    application_name: `tailstock, process ${process.pid}`,
  });
  client.on("error", () => undefined);
  return client;
}
