import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sparticuz from "@sparticuz/chromium";
import { chromium } from "playwright-core";
import { expect, test, vi } from "vitest";
import { CALLBACK_PATH } from "../../cloud-sync/services/access/oidc/oidc.ts";
import { CLIENT, IdentityProvider } from "../support/identity-provider.ts";
import { TestOffice } from "../support/office.ts";
import { tempFolder } from "../support/temp-folder.ts";

// Cookies, redirects between sites and the content security policy are the browser's to judge: so a real one goes the way, through the
// real provider's pages, which stand at another site (localhost) than the office (127.0.0.1).

test("a browser goes to the company's login and back, and is logged in; scripts can't read the cookie", async () => {
  vi.spyOn(console, "info").mockImplementation(() => undefined);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const webRoot = tempFolder();
  mkdirSync(join(webRoot, "assets"));
  writeFileSync(join(webRoot, "index.html"), '<!doctype html><script type="module" src="/assets/page.js"></script>');
  writeFileSync(
    join(webRoot, "assets", "page.js"),
    'const answer = await fetch("/api/session"); const { person } = await answer.json(); document.title = [person?.name, document.cookie].join("|");',
  );
  await using provider = await IdentityProvider.start("localhost");
  const oidc = { issuer: provider.issuer, clientId: CLIENT.id, clientSecret: CLIENT.secret };
  await using office = await TestOffice.start({
    access: { oidc: { ...oidc, roleClaim: "realm_access.roles", roles: {} } },
    office: { webRoot },
  });
  await provider.open(`${office.url}${CALLBACK_PATH}`, {
    adams: { name: "Anna Adams", realm_access: { roles: ["viewer"] } },
  });
  const browser = await chromium.launch({ executablePath: await sparticuz.executablePath(), args: sparticuz.args });
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(office.url);
    await expect.poll(() => page.title()).toBe("|");
    await page.goto(`${office.url}/api/session/oidc`);
    expect(new URL(page.url()).host).toMatch(/^localhost:/);
    await page.fill("input[name=login]", "adams");
    await page.fill("input[name=password]", "any");
    await page.click("button[type=submit]");
    await page.waitForURL(/interaction/);
    await page.click("button[type=submit]");
    await page.waitForURL(`${office.url}/`);
    await expect.poll(() => page.title()).toBe("Anna Adams|");
    const cookies = await page.context().cookies(office.url);
    expect(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite])).toEqual([
      ["tailstock_session", true, "Strict"],
    ]);
    // A page of another site that sends a form in the visitor's name gets nowhere: the cookie stays behind, and forms are not read.
    const frames = `<form id="f" method="post" action="${office.url}/api/session" enctype="text/plain"><input name="a" value="b"></form>`;
    await page.route("http://localhost:1/", (route) => route.fulfill({ contentType: "text/html", body: frames }));
    await page.goto("http://localhost:1/");
    const [answer] = await Promise.all([
      page.waitForResponse(`${office.url}/api/session`),
      page.evaluate(() => (document.querySelector("#f") as HTMLFormElement).submit()),
    ]);
    expect(answer.status()).toBe(415);
    expect((await answer.request().allHeaders()).cookie).toBeUndefined();
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
});
