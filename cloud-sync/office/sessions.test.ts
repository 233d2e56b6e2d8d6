import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client, TestOffice } from "../../test/support/office.ts";
import { rawRequest } from "../../test/support/raw-request.ts";

const PASSWORD = "correct horse battery staple";
const HOUR_MS = 3_600_000;

let office: TestOffice;
let anna: Client;
beforeAll(async () => {
  office = await TestOffice.start();
  anna = await office.person("Anna", "administrator");
});
afterAll(() => office[Symbol.asyncDispose]());

/** Those that fail come from an address of their own, for each is slowed down by itself. */
const login = (name: string, password: string, from: string) =>
  rawRequest(office.url, "/api/session", {
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
