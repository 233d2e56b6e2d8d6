import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { createAccess } from "../../cloud-sync/services/access/access-control.ts";
import { createQueryService } from "../../cloud-sync/services/query/service.ts";
import { type Clock, systemClock } from "../../edge/kernel/clock.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";

/** When it is in all tests of the office: 5 January 2026, 6:00 UTC. */
export const NOW_MS = Date.UTC(2026, 0, 5, 6);

/** The query service on a database of its own, asked with a token of a viewer. */
export interface QueryOffice extends AsyncDisposable {
  readonly db: TestDatabase;
  readonly app: FastifyInstance;
  /** The header that lets in. */
  readonly authorization: string;
  get<T>(path: string, query?: Readonly<Record<string, Param>>): Promise<T>;
  /** Any answer. */
  ask(path: string, query?: Readonly<Record<string, Param>>): Promise<{ status: number; body: string }>;
}
type Param = string | number | readonly (string | number)[];

export async function queryOffice(): Promise<QueryOffice> {
  const db = await testDatabase();
  const logger = pino({ level: "silent" });
  const clock: Clock = { ...systemClock, nowMs: () => NOW_MS };
  const access = createAccess({
    database: db.database,
    config: { secure: false, passwordCost: 1_024 },
    clock: systemClock,
    logger,
  });
  const token = await access.tokens.add({ name: "reader", role: "viewer" }, "test");
  const authorization = `Bearer ${token}`;
  const app = createQueryService({ database: db.database, access, clock, logger });
  const ask = async (path: string, query: Readonly<Record<string, Param>> = {}) => {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
      for (const each of [value].flat()) params.append(name, String(each));
    const url = params.size === 0 ? path : `${path}?${params}`;
    const { statusCode, body } = await app.inject({ url, headers: { authorization } });
    return { status: statusCode, body };
  };
  return {
    db,
    app,
    authorization,
    ask,
    get: async <T>(path: string, query?: Readonly<Record<string, Param>>) => {
      const { status, body } = await ask(path, query);
      if (status !== 200) throw new Error(`${path} answers ${status}: ${body}`);
      return JSON.parse(body) as T;
    },
    [Symbol.asyncDispose]: async () => {
      await app.close();
      await db[Symbol.asyncDispose]();
    },
  };
}
