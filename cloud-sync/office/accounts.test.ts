import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client, TestOffice } from "../../test/support/office.ts";

const PASSWORD = "correct horse battery staple";
const HOUR_MS = 3_600_000;

let office: TestOffice;
let anna: Client;
beforeAll(async () => {
  office = await TestOffice.start();
  anna = await office.person("Anna", "administrator");
});
afterAll(() => office[Symbol.asyncDispose]());

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
    // Whoever comes second is refused: as the last one left, or, when the first was quicker, as nobody who may.
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const refused = answers.find(({ status }) => status !== 200);
    expect(["LAST_ADMINISTRATOR", "LOGIN_NEEDED", "ROLE_TOO_LOW"]).toContain(refused?.body.error);
    const { rows } = await other.database.database.query<{ count: number }>(
      "SELECT count(*) AS count FROM app.account WHERE role = 'administrator' AND NOT disabled AND name IN ('Eva', 'Uta')",
    );
    expect(rows[0]?.count).toBe(1);
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
