import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { freePort } from "../../edge/kernel/free-port.ts";
import { Client, TestOffice } from "../../test/support/office.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { Database } from "../database/database.ts";
import { createAccess } from "../services/access/access-control.ts";
import { createCommandService } from "../services/command/service.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { createOffice } from "./create-office.ts";

// The command service as a server of its own, with its own connections; the office passes requests on.

const PASSWORD = "correct horse battery staple";
const logger = pino({ level: "silent" });
const ending = new AsyncDisposableStack();
let base: TestOffice;
let url: string;
let commandUrl: string;
let stopCommand: () => Promise<void>;

beforeAll(async () => {
  base = ending.use(await TestOffice.start());
  const database = ending.use(new Database({ url: base.database.url }));
  const store = createPostgresEventStore({ database, clock: systemClock, logger });
  const access = createAccess({ database, config: { secure: false }, clock: base.clock, logger });
  const command = createCommandService({ store, access, clock: base.clock, logger, behindProxy: true });
  commandUrl = await command.listen({ host: "127.0.0.1", port: 0 });
  stopCommand = () => command.close();
  const office = createOffice({
    access: base.access,
    proxy: { commandUrl, queryUrl: `http://127.0.0.1:${await freePort()}` },
    webRoot: "/nowhere",
    clock: base.clock,
    logger,
  });
  url = await office.listen({ host: "127.0.0.1", port: 0 });
  ending.defer(() => office.close());
  await base.access.accounts.add({ name: "Anna", role: "administrator", password: PASSWORD }, "test");
});
afterAll(async () => {
  await stopCommand();
  await ending.disposeAsync();
});

test("sessions, CSRF, tags, keys and ids with slashes pass through", async () => {
  const anna = new Client(url);
  expect((await anna.get("/api/command/factory/redmond")).status).toBe(401);
  await anna.login("Anna", PASSWORD);
  const post = (headers: Record<string, string> = {}) =>
    anna.send("POST", "/api/command/factory", { id: "redmond", data: { name: "R", location: {} } }, headers);
  expect((await post({ "x-csrf-token": "x" })).body.error).toBe("CSRF_REFUSED");
  const made = await post({ "idempotency-key": "k1" });
  expect([made.status, made.headers.get("etag"), made.headers.get("location")]).toEqual([
    201,
    '"v1"',
    "/api/command/factory/redmond",
  ]);
  expect((await post({ "idempotency-key": "k1" })).headers.get("idempotency-replayed")).toBe("true");
  for (const id of ["redmond/mill 07", "a%2Fb?c#d", "a..b", "机器/🛠"]) {
    const machine = await anna.send("POST", "/api/command/machine", { id, data: { factoryId: "redmond" } });
    expect([id, machine.status]).toEqual([id, 201]);
    expect((await anna.get(`/api/command/machine/${encodeURIComponent(id)}`)).body.id).toBe(id);
  }
  const path = "/api/command/factory/redmond";
  expect((await anna.send("PUT", path, { data: { name: "R", location: {} } })).status).toBe(428);
  const stale = await anna.send("PUT", path, { data: { name: "R", location: {} } }, { "if-match": '"v7"' });
  expect([stale.status, stale.body.current.version]).toEqual([412, 1]);
  expect((await anna.send("DELETE", path, undefined, { "if-match": '"v1"' })).body.deleted).toBe(true);
  expect((await anna.get("/api/command/openapi.json")).body.info.title).toBe("Tailstock command service");
});

test("tokens pass through, straight and by the office", async () => {
  const token = await base.access.tokens.add({ name: "program", role: "viewer" }, "test");
  for (const address of [url, commandUrl])
    expect((await new Client(address, token).get("/api/command/factory/redmond")).status).toBe(200);
});

test("a way out of the prefix, and a body without end, are refused", async () => {
  const anna = new Client(url);
  await anna.login("Anna", PASSWORD);
  for (const path of ["/api/command/%2e%2e/health", "/api/command/../health", "/api/command/..%2fhealth"]) {
    const { status } = await rawRequest(url, path, { headers: { cookie: anna.cookie ?? "" } });
    expect([path, status]).toEqual([path, status >= 400 ? status : "refused"]);
  }
  const large = await anna.send("POST", "/api/command/factory", JSON.stringify({ id: "x".repeat(1_000_000) }));
  expect(large.status).toBe(413);
});

test("a service that does not answer is said to be so", async () => {
  const anna = new Client(url);
  await anna.login("Anna", PASSWORD);
  for (const path of ["/api/query/overview", "/api/query/machines?limit=1"]) {
    const answer = await anna.get(path);
    expect([answer.status, answer.body.error]).toEqual([502, "SERVICE_UNREACHABLE"]);
  }
});
