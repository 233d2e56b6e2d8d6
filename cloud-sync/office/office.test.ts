import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { freePort } from "../../edge/kernel/free-port.ts";
import { Client, TestOffice } from "../../test/support/office.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { Database } from "../database/database.ts";
import { createAccess } from "../services/access/access-control.ts";
import { HttpComponent } from "../services/http/http-component.ts";
import { queryRoutes } from "../services/query/service.ts";
import { createOffice } from "./create-office.ts";

const PASSWORD = "correct horse battery staple";
const HOUR_MS = 3_600_000;

let office: TestOffice;
let anna: Client;
beforeAll(async () => {
  const webRoot = join(
    tempFolder(() => undefined),
    "dist",
  );
  mkdirSync(join(webRoot, "assets"), { recursive: true });
  writeFileSync(join(webRoot, "index.html"), "<!doctype html><title>Office</title>");
  writeFileSync(join(webRoot, "assets", "app-1a2b.js"), "export {};");
  writeFileSync(join(webRoot, "..", "secret.txt"), "secret");
  office = await TestOffice.start({ office: { webRoot } });
  anna = await office.person("Anna", "administrator");
});
afterAll(() => office[Symbol.asyncDispose]());

/** A request as no browser sends it. Tests that fail to log in come from an address of their own, for each is slowed down by itself. */
function raw(
  path: string,
  options: { method?: string; headers?: Record<string, string>; from?: string; body?: string } = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(office.url);
    const { method = "GET", headers = {}, from, body } = options;
    const asked = request(
      { hostname, port, path, method, headers, agent: false, ...(from && { localAddress: from }) },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      },
    );
    asked.on("error", reject).end(body);
  });
}
const login = (name: string, password: string, from: string) =>
  raw("/api/session", {
    method: "POST",
    from,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, password }),
  });

describe("sessions", () => {
  test("the cookie is for the browser alone, and the database holds only its hash", async () => {
    const client = new Client(office.url);
    const answer = await client.login("Anna", PASSWORD);
    expect(answer.body).toEqual({
      person: { id: expect.any(String), name: "Anna", role: "administrator", kind: "local" },
      csrf: expect.stringMatching(/^[\w-]{43}$/),
      oidc: false,
    });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^tailstock_session=[^;]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/);
    const token = decodeURIComponent(cookie.split(/[=;]/)[1] ?? "").split(".")[0] ?? "";
    const { rows } = await office.database.database.query("SELECT row_to_json(s)::text AS row FROM app.session s");
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.some(({ row }) => row.includes(token) || row.includes(Buffer.from(token).toString("hex")))).toBe(false);
  });

  test("behind TLS the cookie goes by no other way", async () => {
    await using secure = await TestOffice.start({ access: { secure: true }, office: { behindProxy: true } });
    await secure.access.accounts.add({ name: "Anna", role: "viewer", password: PASSWORD }, "test");
    const answer = await new Client(secure.url).login("Anna", PASSWORD);
    expect(answer.headers.get("set-cookie")).toMatch(/^__Host-tailstock_session=.*; Secure; SameSite=Strict$/);
    expect(answer.headers.get("strict-transport-security")).toBe("max-age=31536000");
  });

  test("a change needs the CSRF token of its own session", async () => {
    const other = await office.person("Other", "administrator");
    const [mine, others] = [anna.csrf, other.csrf ?? ""];
    const body = { name: "nobody", role: "viewer", password: PASSWORD };
    for (const wrong of [others, "", "x".repeat(43), `${mine}x`]) {
      const answer = await anna.send("POST", "/api/accounts", body, { "x-csrf-token": wrong });
      expect([answer.status, answer.body.error]).toEqual([403, "CSRF_REFUSED"]);
    }
    const note = await anna.send("POST", "/api/command/factory", {}, { "x-csrf-token": others });
    expect(note.body.error).toBe("CSRF_REFUSED");
    expect((await anna.get("/api/accounts")).body.accounts.map(({ name }: { name: string }) => name)).not.toContain(
      "nobody",
    );
  });

  test("who has logged out, is shut out, or was away for too long is nobody", async () => {
    const isIn = async (client: Client) => (await client.get("/api/session")).status === 200;
    const client = await office.person("Lena", "viewer");
    const kept = client.cookie ?? "";
    expect((await client.send("DELETE", "/api/session")).status).toBe(204);
    client.cookie = kept;
    expect(await isIn(client)).toBe(false);
    await client.login("Lena", PASSWORD);
    await office.clock.advance(7 * HOUR_MS);
    expect(await isIn(client)).toBe(true);
    await office.clock.advance(7 * HOUR_MS);
    expect(await isIn(client)).toBe(true);
    await office.clock.advance(8 * HOUR_MS + 1);
    expect(await isIn(client)).toBe(false);
    // However busy, a session ends after a week.
    await client.login("Lena", PASSWORD);
    for (let hours = 0; hours < 7 * 24; hours += 7) {
      expect(await isIn(client)).toBe(true);
      await office.clock.advance(7 * HOUR_MS);
    }
    expect(await isIn(client)).toBe(false);
    await anna.login("Anna", PASSWORD);
  });

  test("a cookie that somebody has made up, altered or taken from elsewhere is none", async () => {
    const good = decodeURIComponent((anna.cookie ?? "").split("=")[1] ?? "");
    const [token = "", signature = ""] = good.split(".");
    for (const value of [
      token,
      `${token}.`,
      `${token}.${signature.slice(1)}`,
      `x${token}.${signature}`,
      "%",
      "%00",
      "a=b",
      "",
      ";",
    ]) {
      const client = new Client(office.url);
      client.cookie = `tailstock_session=${value}`;
      expect([value, (await client.get("/api/session")).status]).toEqual([value, 401]);
    }
    const client = new Client(office.url);
    client.cookie = `other=1; tailstock_session=${encodeURIComponent(good)}; tailstock_session=x`;
    expect((await client.get("/api/session")).status).toBe(200);
  });

  test("one's own password: asked for once more, and other sessions end", async () => {
    const one = await office.person("Paula", "viewer");
    const two = new Client(office.url);
    await two.login("Paula", PASSWORD);
    const put = (current: string, next: string) => one.send("PUT", "/api/session/password", { current, next });
    expect((await put("wrong password", "another long password")).status).toBe(401);
    expect((await put(PASSWORD, "short")).body.error).toBe("PASSWORD_REFUSED");
    expect((await put(PASSWORD, "PAULA and a few more")).body.message).toMatch(/too easy/);
    expect((await put(PASSWORD, "another long password")).status).toBe(204);
    expect((await one.get("/api/session")).status).toBe(200);
    expect((await two.get("/api/session")).status).toBe(401);
    expect((await two.login("Paula", PASSWORD)).status).toBe(401);
    expect((await two.login("paula ", "another long password")).status).toBe(200);
  });
});

describe("who guesses is slowed down", () => {
  test("one address at one account, whether it exists or not; others get in", async () => {
    await office.person("Vera", "viewer");
    for (const name of ["Vera", "No such person"]) {
      const from = name === "Vera" ? "127.0.0.2" : "127.0.0.3";
      const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => login(name, `wrong ${index}`, from)));
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused).toHaveLength(7);
      expect(Number(refused[0]?.headers["retry-after"])).toBe(900);
      // The same words for both.
      expect(new Set(answers.map(({ body }) => body)).size).toBe(2);
    }
    expect((await login("Vera", PASSWORD, "127.0.0.2")).status).toBe(429);
    expect((await login("vera", PASSWORD, "127.0.0.4")).status).toBe(200);
    await office.clock.advance(15 * 60_000);
    expect((await login("Vera", PASSWORD, "127.0.0.2")).status).toBe(200);
  });

  test("one address at many accounts, and it leaves no more rows", async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 40; index++) statuses.push((await login(`name ${index}`, "x", "127.0.0.5")).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(30);
    expect(statuses.slice(30).every((status) => status === 429)).toBe(true);
    const { rows } = await office.database.database.query("SELECT count(*) AS count FROM app.login_attempt");
    expect(rows[0]?.count).toBeLessThan(70);
  });

  test("a right password takes its attempt back", async () => {
    const kim = await office.person("Kim", "viewer");
    await office.clock.advance(1);
    for (let index = 0; index < 40; index++) expect((await login("Kim", PASSWORD, "127.0.0.6")).status).toBe(200);
    // Of so many sessions the oldest have ended.
    expect((await kim.get("/api/session")).status).toBe(401);
  });

  test("hostile names", async () => {
    for (const name of ["a\0b", "' OR '1'='1", "x".repeat(300), "\ud83d", "__proto__"]) {
      const { status } = await login(name, "x", "127.0.0.7");
      expect([400, 401]).toContain(status);
    }
  });
});

describe("accounts", () => {
  const post = (body: object, client = anna) => client.send("POST", "/api/accounts", body);

  test("are the administrator's; a role and a lock count at once", async () => {
    const made = await post({ name: "Rita", role: "viewer" });
    expect(made.status).toBe(201);
    expect(made.body.password).toMatch(/^(?:[a-z2-9]{5}-){3}[a-z2-9]{5}$/);
    expect(JSON.stringify((await anna.get("/api/accounts")).body)).not.toContain("scrypt");
    const rita = new Client(office.url);
    await rita.login("Rita", made.body.password);
    for (const path of ["/api/accounts", "/api/tokens"]) expect((await rita.get(path)).status).toBe(403);
    expect((await post({ name: "Mine", role: "administrator", password: PASSWORD }, rita)).status).toBe(403);
    const patch = (change: object) => anna.send("PATCH", `/api/accounts/${made.body.account.id}`, change);
    expect((await patch({ role: "administrator" })).body).toMatchObject({ role: "administrator", changedBy: "Anna" });
    expect((await rita.get("/api/accounts")).status).toBe(200);
    await patch({ disabled: true });
    expect((await rita.get("/api/session")).status).toBe(401);
    expect((await rita.login("Rita", made.body.password)).status).toBe(401);
    await patch({ disabled: false });
    expect((await rita.get("/api/session")).status).toBe(401);
    expect((await anna.send("DELETE", `/api/accounts/${made.body.account.id}`)).status).toBe(204);
    expect((await patch({ role: "viewer" })).status).toBe(404);
  });

  test("no two look alike, and names are fit to stand in events", async () => {
    for (const name of ["anna", " ANNA", "Ａｎｎａ"])
      expect([name, (await post({ name, role: "viewer", password: PASSWORD })).body.error]).toEqual([
        name,
        "NAME_TAKEN",
      ]);
    for (const name of ["a\nb", "<script>", "a\u202eb", "", "x".repeat(65), "'; --"])
      expect([name, (await post({ name, role: "viewer", password: PASSWORD })).status]).toEqual([name, 400]);
    for (const body of [
      { name: "A", role: "root" },
      { name: "A" },
      { name: "A", role: "viewer", admin: true },
      [],
      "x",
      null,
    ])
      expect((await post(body as object)).status).toBe(400);
  });

  test("one administrator is left, also when two shut each other out at once", async () => {
    await using other = await TestOffice.start();
    const [eva, uta] = [await other.person("Eva", "administrator"), await other.person("Uta", "administrator")];
    const { accounts } = (await eva.get("/api/accounts")).body;
    const answers = await Promise.all([
      eva.send("PATCH", `/api/accounts/${accounts[1].id}`, { disabled: true }),
      uta.send("PATCH", `/api/accounts/${accounts[0].id}`, { role: "viewer" }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.error).toBe("LAST_ADMINISTRATOR");
  });

  test("the first administrator is made once, however many services start", async () => {
    await using other = await TestOffice.start();
    const firsts = await Promise.all(Array.from({ length: 5 }, () => other.access.accounts.ensureFirstAdministrator()));
    const [first, ...more] = firsts.filter((each) => each !== undefined);
    expect(more).toEqual([]);
    expect((await new Client(other.url).login(first?.name ?? "", first?.password ?? "")).body.person.role).toBe(
      "administrator",
    );
    expect(await office.access.accounts.ensureFirstAdministrator()).toBeUndefined();
  });

  test("an administrator whose password could not be written down is not made", async () => {
    await using other = await TestOffice.start();
    const full = other.access.accounts.ensureFirstAdministrator(() => {
      throw new Error("the disk is full");
    });
    await expect(full).rejects.toThrow("the disk is full");
    expect(await other.access.accounts.list()).toEqual([]);
    const told: string[] = [];
    const first = await other.access.accounts.ensureFirstAdministrator(({ password }) => told.push(password));
    expect(told).toEqual([first?.password]);
  });
});

describe("tokens", () => {
  test("are told once, end, and are revoked; a bad one is not replaced by a session", async () => {
    const made = await anna.send("POST", "/api/tokens", { name: "report", role: "operator", days: 1 });
    expect(made.body.token).toMatch(/^tlst_[\w-]{43}$/);
    expect((await anna.send("POST", "/api/tokens", { name: "report", role: "viewer" })).status).toBe(409);
    const listed = JSON.stringify((await anna.get("/api/tokens")).body);
    expect(listed).toContain("report");
    expect(listed).not.toContain(made.body.token.slice(5));
    const program = new Client(office.url, made.body.token);
    expect((await program.get("/api/session")).body.person).toMatchObject({
      name: "report",
      role: "operator",
      kind: "token",
    });
    expect((await program.get("/api/accounts")).status).toBe(403);
    for (const authorization of [
      "Bearer",
      "Bearer x",
      `Basic ${made.body.token}`,
      "Bearer tlst_' OR 1=1",
      `Bearer ${made.body.token}x`,
    ])
      expect((await anna.get("/api/session", { authorization })).status).toBe(401);
    await office.clock.advance(24 * HOUR_MS + 1);
    expect((await program.get("/api/session")).status).toBe(401);
    await anna.login("Anna", PASSWORD);
    const second = new Client(
      office.url,
      (await anna.send("POST", "/api/tokens", { name: "second", role: "viewer" })).body.token,
    );
    expect((await second.get("/api/session")).status).toBe(200);
    expect((await anna.send("DELETE", "/api/tokens/second")).status).toBe(204);
    expect((await second.get("/api/session")).status).toBe(401);
    expect((await anna.send("DELETE", "/api/tokens/second")).status).toBe(404);
  });
});

describe("the server", () => {
  test("does not answer to foreign names (DNS rebinding)", async () => {
    for (const host of ["evil.example", "evil.example:8090", "127.0.0.1.evil.example", "[::2]"])
      expect([host, (await raw("/api/session", { headers: { host } })).status]).toEqual([host, 421]);
    for (const host of ["localhost", "127.0.0.1:8090", "[::1]:1"])
      expect([host, (await raw("/", { headers: { host } })).status]).toEqual([host, 200]);
  });

  test("every answer has the headers that keep a page to itself", async () => {
    for (const path of ["/", "/api/session", "/api/nothing", "/api/command/openapi.json", "/assets/app-1a2b.js"]) {
      const { headers } = await raw(path);
      expect([path, headers["x-content-type-options"], headers["x-frame-options"]]).toEqual([path, "nosniff", "DENY"]);
      expect(headers["content-security-policy"]).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    }
  });

  test("the page is at every address of its own, and nothing else of the disk", async () => {
    for (const path of ["/", "/machines/redmond%2Fmill-07", "/reports?from=1"])
      expect((await raw(path)).body).toContain("<title>Office</title>");
    expect((await raw("/assets/app-1a2b.js")).headers["cache-control"]).toMatch(/immutable/);
    for (const path of [
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/assets/..%5c..%5csecret.txt",
      "/assets/none.js",
    ])
      expect([path, (await raw(path)).status, (await raw(path)).body.includes("secret\n")]).toEqual([
        path,
        expect.toSatisfy((status) => status >= 400),
        false,
      ]);
    expect((await raw("/api/none")).body).toContain('"error":"NOT_FOUND"');
    expect((await raw("/somewhere", { method: "POST" })).status).toBe(404);
    expect(JSON.parse((await raw("/api/command/note/%ff")).body)).toMatchObject({
      error: "FST_ERR_BAD_URL",
      hint: null,
    });
  });

  test("without its database it says so", async () => {
    const { clock, logger } = office;
    const gate = new Database({ url: office.database.url.replace(/:\d+\//, `:${await freePort()}/`) });
    const access = createAccess({ database: gate, config: { secure: false }, clock, logger });
    const app = createOffice({ access, clock, logger, webRoot: "/nowhere" });
    const headers = { authorization: `Bearer tlst_${"x".repeat(43)}`, host: "localhost" };
    for (const url of ["/api/session", "/api/health"]) {
      const answer = await app.inject({ url, headers });
      expect([url, answer.statusCode, answer.json().error]).toEqual([url, 503, "DATABASE_UNAVAILABLE"]);
      expect(answer.headers["retry-after"]).toBe("5");
    }
    await app.close();
    await gate[Symbol.asyncDispose]();
  });

  test("the query service stands beside the others", async () => {
    const { access, clock, logger } = office;
    const query = queryRoutes({ database: office.database.database, access, clock, logger });
    const app = createOffice({ access, clock, logger, query, webRoot: "/nowhere" });
    const address = await app.listen({ host: "127.0.0.1", port: 0 });
    const nobody = new Client(address);
    expect((await nobody.get("/api/query/overview")).status).toBe(401);
    const program = new Client(address, await access.tokens.add({ name: "reader", role: "viewer" }, "test"));
    expect((await program.get("/api/query/overview")).status).toBe(200);
    expect((await program.get("/api/query/openapi.json")).body.info.title).toMatch(/query/);
    expect((await program.get("/api/query/none")).body.error).toBe("NOT_FOUND");
    const mirror = new Client(
      address,
      await access.tokens.add({ name: "one", role: "viewer", factoryId: "f" }, "test"),
    );
    expect((await mirror.get("/api/query/overview")).body.error).toBe("FACTORY_ONLY");
    await app.close();
  });

  test("is well, and describes itself", async () => {
    expect((await raw("/api/health")).body).toBe('{"status":"ok"}');
    const { paths } = JSON.parse((await raw("/api/openapi.json")).body);
    expect(Object.keys(paths)).toContain("/api/accounts/{id}");
  });

  test("a flood from one address is refused for a while", async () => {
    const statuses = await Promise.all(Array.from({ length: 320 }, () => raw("/api/session", { from: "127.0.0.9" })));
    const refused = statuses.filter(({ status }) => status === 429);
    expect(refused.length).toBe(20);
    expect(JSON.parse(refused[0]?.body ?? "{}")).toMatchObject({ error: "TOO_MANY_REQUESTS" });
    expect(Number(refused[0]?.headers["retry-after"])).toBeGreaterThan(0);
  });

  test("listens where others can reach it only behind a proxy that speaks TLS", async () => {
    const { access, clock, logger } = office;
    const create = () => createOffice({ access, clock, logger, webRoot: "/nowhere" });
    const component = (host: string, port: number, behindProxy: boolean) =>
      new HttpComponent({ name: "office", create, host, port, behindProxy, logger });
    const error: unknown = await component("0.0.0.0", 0, false)
      .run(new AbortController().signal, () => undefined)
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(EdgeError);
    expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining("in the clear") });
    const port = Number(new URL(office.url).port);
    await expect(
      component("127.0.0.1", port, false).run(new AbortController().signal, () => undefined),
    ).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
    const stop = new AbortController();
    const open = component("0.0.0.0", 0, true);
    const { promise, resolve } = Promise.withResolvers<void>();
    const running = open.run(stop.signal, resolve);
    await promise;
    const answer = await fetch(`${open.address?.replace("0.0.0.0", "127.0.0.1")}/api/health`);
    expect(answer.status).toBe(200);
    stop.abort();
    await running;
    expect(open.address).toBeUndefined();
  });
});
