import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { CLIENT, IdentityProvider, Wanderer } from "../../test/support/identity-provider.ts";
import { Client, TestOffice } from "../../test/support/office.ts";
import type { OidcConfig } from "../services/access/access-config.ts";
import { createAccess } from "../services/access/access-control.ts";
import { CALLBACK_PATH } from "../services/access/oidc/oidc.ts";

const PEOPLE = {
  adams: { name: "Anna Adams", realm_access: { roles: ["everybody", "shop-lead", "shop"] } },
  bose: { name: "Bela\u202e Bose\n", realm_access: { roles: ["shop"] } },
  clark: { name: "<b>Carl</b>", realm_access: { roles: ["everybody", "administrator"] } },
  doe: { name: "Dora Doe" },
};

let provider: IdentityProvider;
let office: TestOffice;
const configFor = (changes: Partial<OidcConfig> = {}): OidcConfig => ({
  issuer: provider.issuer,
  clientId: CLIENT.id,
  clientSecret: CLIENT.secret,
  roleClaim: "realm_access.roles",
  roles: { shop: "operator", "shop-lead": "technician" },
  ...changes,
});

beforeAll(async () => {
  // The provider tells that its keys and pages are for development.
  vi.spyOn(console, "info").mockImplementation(() => undefined);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  provider = await IdentityProvider.start();
  office = await TestOffice.start({ access: { oidc: configFor() } });
  await provider.open(`${office.url}${CALLBACK_PATH}`, PEOPLE);
});
afterAll(async () => {
  await office[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

/** Through the provider's own pages, as far as the way back. */
async function throughLogin(person: Wanderer, name: string, until?: (url: string) => boolean) {
  const login = await person.go(`${office.url}/api/session/oidc`);
  expect(login.url).toContain(`${provider.issuer}/interaction/`);
  const consent = await person.submit(login, { login: name, password: "any" });
  return person.submit(consent, {}, until);
}
const isCallback = (url: string): boolean => url.includes(CALLBACK_PATH);

test("the company's login lets a person in, with the highest role that the provider gives", async () => {
  const person = new Wanderer();
  const end = await throughLogin(person, "adams");
  expect(end.url).toBe(`${office.url}/`);
  const client = new Client(office.url);
  client.cookie = `tailstock_session=${person.cookiesOf(office.url).get("tailstock_session")}`;
  const { body } = await client.get("/api/session");
  expect(body).toMatchObject({
    person: { id: `oidc:${provider.issuer}#adams`, name: "Anna Adams", role: "technician", kind: "oidc" },
    oidc: true,
  });
  // Changes need the CSRF token here as well, and stand under the person's name.
  const order = { id: "c1", data: { requirement: "r", description: "d", action: "a", thresholds: [] } };
  expect((await client.send("POST", "/api/command/criterion", order)).body.error).toBe("CSRF_REFUSED");
  client.csrf = body.csrf;
  expect((await client.send("POST", "/api/command/criterion", order)).body.createdBy).toBe("Anna Adams");
  expect((await client.get("/api/accounts")).status).toBe(403);
  const password = await client.send("PUT", "/api/session/password", { current: "a", next: "another password" });
  expect(password.body.error).toBe("NO_PASSWORD");
  expect((await client.send("DELETE", "/api/session")).status).toBe(204);
  expect((await client.get("/api/session")).body).toMatchObject({ error: "LOGIN_NEEDED", oidc: true });
});

test("names are cleaned of what can't be seen", async () => {
  const person = new Wanderer();
  await throughLogin(person, "bose");
  const client = new Client(office.url);
  client.cookie = `tailstock_session=${person.cookiesOf(office.url).get("tailstock_session")}`;
  expect((await client.get("/api/session")).body.person).toMatchObject({ name: "Bela Bose", role: "operator" });
});

test("who has no role here stays out, told so in a sentence; a claim named like a role gives none", async () => {
  for (const [login, name] of [
    ["doe", "Dora Doe"],
    ["clark", "&#60;b&#62;Carl&#60;/b&#62;"],
  ] as const) {
    const person = new Wanderer();
    const end = await throughLogin(person, login);
    expect(end.status).toBe(403);
    expect(end.body).toContain(`<p>${name} is known, but has no role here.</p>`);
    expect(person.cookiesOf(office.url).get("tailstock_session")).toBeUndefined();
  }
});

test("who turns back at the provider is told so", async () => {
  const person = new Wanderer();
  const login = await person.go(`${office.url}/api/session/oidc`);
  const abort = /href="([^"]+\/abort)"/.exec(login.body)?.[1] ?? "";
  const end = await person.go(new URL(abort, login.url).href);
  expect(end.status).toBe(403);
  expect(end.body).toContain("the identity provider said no: access_denied");
});

test("a way back that belongs to no login, to another one, or that was gone already leads nowhere", async () => {
  const isOut = (person: Wanderer) => person.cookiesOf(office.url).get("tailstock_session") === undefined;
  const thief = new Wanderer();
  const victims = await throughLogin(new Wanderer(), "adams", isCallback);
  // Without having begun a login.
  const without = await thief.go(victims.url);
  expect([without.status, isOut(thief)]).toEqual([400, true]);
  expect(without.body).toContain("begun elsewhere");
  // With a login of one's own, whose state is another: nobody is logged in as somebody else unawares.
  await thief.go(`${office.url}/api/session/oidc`, { until: (url) => url.startsWith(provider.issuer) });
  const { codesSent } = provider;
  const swapped = await thief.go(victims.url);
  expect(provider.codesSent).toBe(codesSent);
  expect([swapped.status, isOut(thief)]).toEqual([403, true]);
  // With the right state and a code of another login: PKCE and nonce hold.
  const beginner = new Wanderer();
  const own = await throughLogin(beginner, "bose", isCallback);
  const mixed = new URL(own.url);
  mixed.searchParams.set("code", new URL(victims.url).searchParams.get("code") ?? "");
  const kept = new Map(beginner.cookiesOf(office.url));
  expect([(await beginner.go(mixed.href)).status, isOut(beginner)]).toEqual([403, true]);
  // Twice, with the cookie put back: the code is used up.
  const person = new Wanderer();
  const back = await throughLogin(person, "adams", isCallback);
  const flow = new Map(person.cookiesOf(office.url));
  expect((await person.go(back.url)).url).toBe(`${office.url}/`);
  const again = new Wanderer();
  for (const [name, value] of flow) again.cookiesOf(office.url).set(name, value);
  expect([(await again.go(back.url)).status, isOut(again)]).toEqual([403, true]);
  // Too late.
  const late = new Wanderer();
  const lateBack = await throughLogin(late, "adams", isCallback);
  await office.clock.advance(10 * 60_000 + 1);
  expect([(await late.go(lateBack.url)).status, isOut(late)]).toEqual([400, true]);
  expect(kept.size).toBe(1);
});

test("the provider's pages can't put words into ours", async () => {
  const person = new Wanderer();
  const login = await throughLogin(person, "adams", isCallback);
  const url = new URL(login.url);
  url.search = new URLSearchParams({
    error: "<script>alert(1)</script>",
    state: url.searchParams.get("state") ?? "",
    iss: provider.issuer,
  }).toString();
  const end = await person.go(url.href);
  expect(end.status).toBe(403);
  expect(end.body).not.toContain("<script>");
});

test("a wrong secret, and a provider that is gone, are each a sentence", async () => {
  await using wrong = await TestOffice.start({
    access: { oidc: configFor({ clientSecret: "wrong", callbackUrl: `${office.url}${CALLBACK_PATH}` }) },
  });
  const person = new Wanderer();
  const login = await person.go(`${wrong.url}/api/session/oidc`);
  const consent = await person.submit(login, { login: "adams", password: "any" });
  const back = await person.submit(consent, {}, isCallback);
  const end = await person.go(back.url.replace(office.url, wrong.url));
  expect(end.status).toBe(403);
  expect(end.body).toContain("the identity provider refuses: invalid_client");
  const gone = await IdentityProvider.start();
  const { issuer } = gone;
  await gone[Symbol.asyncDispose]();
  await using alone = await TestOffice.start({ access: { oidc: configFor({ issuer }) } });
  const nowhere = await new Wanderer().go(`${alone.url}/api/session/oidc`);
  expect(nowhere.status).toBe(502);
  expect(nowhere.body).toContain("the identity provider does not answer");
});

test("an issuer without TLS is refused, but on this computer", () => {
  const { clock, logger } = office;
  const { database } = office.database;
  for (const issuer of ["http://login.example", "ftp://login.example", "login.example", "http://127.0.0.1.example"])
    expect(() =>
      createAccess({ database, config: { secure: false, oidc: configFor({ issuer }) }, clock, logger }),
    ).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});
