import type { FastifyInstance } from "fastify";
import { type Logger, pino } from "pino";
import { createOffice, type OfficeOptions } from "../../cloud-sync/office/create-office.ts";
import type { Role } from "../../cloud-sync/services/access/access.ts";
import type { AccessConfig } from "../../cloud-sync/services/access/access-config.ts";
import { type AccessControl, createAccess } from "../../cloud-sync/services/access/access-control.ts";
import { commandRoutes } from "../../cloud-sync/services/command/routes.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { ManualClock } from "./manual-clock.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";

/** Cheap to compute: tests log in often. */
const PASSWORD_COST = 1_024;
const PASSWORD = "correct horse battery staple";

/** An office that listens, over a database and a store of its own, with the command service in it. */
export class TestOffice implements AsyncDisposable {
  readonly database: TestDatabase;
  readonly store: EventStore;
  readonly access: AccessControl;
  readonly clock: ManualClock;
  readonly logger: Logger;
  readonly app: FastifyInstance;
  readonly url: string;

  private constructor(parts: Omit<TestOffice, "person" | "token" | typeof Symbol.asyncDispose>) {
    this.database = parts.database;
    this.store = parts.store;
    this.access = parts.access;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.app = parts.app;
    this.url = parts.url;
  }

  static async start(
    options: {
      readonly access?: Partial<AccessConfig>;
      readonly office?: Partial<OfficeOptions>;
      /** Stands between the services and the store. */
      readonly around?: (store: EventStore) => EventStore;
    } = {},
  ): Promise<TestOffice> {
    const database = await testDatabase();
    const logger = pino({ level: "silent" });
    const clock = new ManualClock(Date.UTC(2026, 10, 25, 12));
    const real = createPostgresEventStore({ database: database.database, clock: systemClock, logger });
    await real.ensure(new AbortController().signal);
    const store = options.around?.(real) ?? real;
    const access = createAccess({
      database: database.database,
      config: { secure: false, passwordCost: PASSWORD_COST, ...options.access },
      clock,
      logger,
    });
    const command =
      options.office?.proxy === undefined ? { command: commandRoutes({ store, access, clock, logger }) } : {};
    const app = createOffice({ access, webRoot: "/nowhere", clock, logger, ...command, ...options.office });
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    return new TestOffice({ database, store, access, clock, logger, app, url });
  }

  /** Somebody with an account of this role, logged in. */
  async person(name: string, role: Role): Promise<Client> {
    await this.access.accounts.add({ name, role, password: PASSWORD }, "test");
    const client = new Client(this.url);
    await client.login(name, PASSWORD);
    return client;
  }

  async token(name: string, role: Role, factoryId?: string): Promise<Client> {
    return new Client(this.url, await this.access.tokens.add({ name, role, factoryId }, "test"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.app.close();
    await this.store[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ReturnType<typeof JSON.parse>;
}

/** A browser's or a program's side: keeps the cookie and the CSRF token, or sends a token. */
export class Client {
  readonly url: string;
  readonly #token: string | undefined;
  cookie: string | undefined;
  csrf: string | undefined;

  constructor(url: string, token?: string) {
    this.url = url;
    this.#token = token;
  }

  async login(name: string, password: string): Promise<Answer> {
    const answer = await this.send("POST", "/api/session", { name, password });
    this.csrf = answer.body?.csrf;
    return answer;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send("GET", path, undefined, headers);
  }

  /** A string goes as it is, anything else as JSON. */
  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      redirect: "manual",
      headers: {
        ...(this.#token && { authorization: `Bearer ${this.#token}` }),
        ...(this.cookie && { cookie: this.cookie }),
        ...(this.csrf && { "x-csrf-token": this.csrf }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    for (const cookie of response.headers.getSetCookie())
      if (cookie.includes("tailstock_session=")) this.cookie = cookie.split(";", 1)[0];
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") === true;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }
}
