import sparticuz from "@sparticuz/chromium";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { factoryName, fillOffice, machineId } from "../support/office-data.ts";
import { type OfficePage, officePage } from "../support/office-page.ts";

// The page as it is shipped, in a real Chromium, before the real services; metadata goes through the event store and its projection.
const ADA = { name: "ada", password: "correct horse battery" };
const BERT = { name: "bert", password: "staple correct horse" };
const EVIL = '<img src=x onerror="window.hacked=1">';
const PRESS = machineId(0, 2);
let office: OfficePage;
let browser: Browser;
let page: Page;
/** Console errors, page errors and requests to elsewhere; that nobody is logged in yet is none. */
const complaints: string[] = [];

beforeAll(async () => {
  office = await officePage();
  await fillOffice(office.db.database, {
    factories: 5,
    machines: 100,
    signals: 20,
    nowMs: Date.now(),
    rollupHours: 25,
    rollupMachines: 1,
    entities: 10,
  });
  await office.access.accounts.add({ ...ADA, role: "administrator" }, "test");
  await office.access.accounts.add({ ...BERT, role: "technician" }, "test");
  // Two people need two processes of pages.
  const args = sparticuz.args.filter((arg) => arg !== "--single-process");
  browser = await chromium.launch({ executablePath: await sparticuz.executablePath(), args });
  page = await (await newContext()).newPage();
  page.setDefaultTimeout(10_000);
  page.on("console", (message) => {
    if (message.type() === "error" && !message.location().url.endsWith("/api/session")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(office.url)) complaints.push(`request to ${request.url()}`);
  });
});
afterAll(async () => {
  await browser?.close();
  await office?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  complaints.length = 0;
});

function newContext(options: Parameters<Browser["newContext"]>[0] = {}): Promise<BrowserContext> {
  return browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
}

async function login(into: Page, { name, password }: typeof ADA): Promise<void> {
  await into.goto(office.url);
  await into.getByLabel("Name").fill(name);
  await into.getByLabel("Password").fill(password);
  await into.keyboard.press("Enter");
  await into.getByRole("heading", { name: "Overview" }).waitFor();
}

test("nobody sees anything without a login; a wrong password is told, a right one opens the overview", async () => {
  await page.goto(`${office.url}/#/machines`);
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  expect(await page.locator("table").count()).toBe(0);
  await page.getByLabel("Name").fill(ADA.name);
  await page.getByLabel("Password").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("name or password is wrong").waitFor();
  await page.getByLabel("Password").fill(ADA.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Machines" }).waitFor();
  await page.getByRole("link", { name: "Overview" }).click();
});

test("five factories stand on one screen without scrolling, each with its state, and change within two seconds", async () => {
  await page.locator(".factory").nth(4).waitFor();
  expect(await page.locator(".factory").count()).toBe(5);
  const size = await page.evaluate(() => [document.documentElement.scrollHeight, innerHeight]);
  expect(size[0]).toBeLessThanOrEqual(size[1] ?? 0);
  const monterrey = page.locator('[data-factory="monterrey"]');
  expect(await monterrey.locator(".state").innerText()).toBe("Line cut");
  expect(await monterrey.innerText()).toMatch(/41\s203 events wait/);
  expect(await monterrey.innerText()).toContain("10 events missing, 2 lost");
  const beganMs = performance.now();
  await office.db.database.query("UPDATE app.line SET connected = true WHERE factory_id = 'monterrey'");
  await monterrey.locator(".state", { hasNotText: "Line cut" }).waitFor();
  expect(performance.now() - beganMs).toBeLessThan(2_500);
  expect(complaints).toEqual([]);
});

test("everything is reached by keyboard: views by two keys, the list of keys by ?, a machine by Tab and Enter", async () => {
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await help.waitFor();
  expect(await help.innerText()).toContain("Go to Maintenance");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "detached" });
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await page.getByRole("heading", { name: "Machines" }).waitFor();
  await page.locator("tbody tr").nth(99).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("stamping-press-002");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 5);
  for (let presses = 0; presses < 8; presses++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement?.closest("tbody") !== null)) break;
  }
  expect(await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle)).toBe("solid");
  await page.keyboard.press("Enter");
  await page.locator(".machine h1").waitFor();
  expect(complaints).toEqual([]);
});

test("a machine shows values, trend, predictions, anomalies, alarms; markup in names is only text", async () => {
  await office.db.database.query("UPDATE model.anomaly SET message = $2 WHERE machine_id = $1", [
    machineId(0, 0),
    EVIL,
  ]);
  await page.goto(`${office.url}/#/machine?id=${encodeURIComponent(machineId(0, 0))}`);
  await page.locator('tr[data-signal="machinePressure"]').waitFor();
  expect(await page.locator('tr[data-signal="machinePressure"] .value').innerText()).toBe("1003");
  await page.waitForFunction(() => Number(document.querySelector(".chart")?.getAttribute("data-points")) > 1_000);
  await page.getByText(EVIL).first().waitFor();
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  await page.getByRole("heading", { name: "Predictions" }).waitFor();
  expect(await page.locator(".predictions li").count()).toBeGreaterThan(2);
  expect(await page.locator("table.alarms tbody tr").count()).toBe(5);
  expect(complaints).toEqual([]);
});

test("P27 eight signals of five factories over a year are a chart of bounded size", async () => {
  const pairs = Array.from({ length: 8 }, (_, index) => [
    machineId(index % 5, 0),
    index < 5 ? "machinePressure" : "s007",
  ]);
  const series = encodeURIComponent(pairs.map((pair) => pair.join("\u001f")).join("\u001e"));
  await page.goto(`${office.url}/#/trends?series=${series}`);
  await page.waitForFunction(() => Number(document.querySelector(".chart")?.getAttribute("data-points")) > 11_000);
  await page.getByRole("button", { name: "1 y" }).click();
  await page.waitForFunction(() => Number(document.querySelector(".chart")?.getAttribute("data-points")) < 300);
  await page.getByRole("button", { name: "One each" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length === 8);
  await page
    .getByRole("button", { name: /^Take .* away$/ })
    .first()
    .click();
  await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length === 7);
  expect(complaints).toEqual([]);
});

test("metadata: a mistake is told at its field; two who edit at once see both versions, and nothing is lost", async () => {
  const factory = factoryName(0);
  const bert = await (await newContext()).newPage();
  bert.setDefaultTimeout(10_000);
  await Promise.all([login(bert, BERT), page.goto(`${office.url}/#/metadata?kind=factory`)]);
  await page.getByRole("button", { name: "New factory" }).click();
  await page.getByLabel("Id").fill("aveiro");
  await page.getByRole("textbox", { name: "Name" }).fill("Aveiro");
  await page.getByLabel("Latitude").fill("123");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".field", { hasText: "Latitude" }).getByRole("alert").waitFor();
  await page.getByLabel("Latitude").fill("40.6");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Aveiro" }).waitFor();

  await page.getByRole("button", { name: "Machines", exact: true }).click();
  await page.getByRole("button", { name: "New machine" }).click();
  await page.getByLabel("Id").fill("aveiro/mill-1");
  await page.locator("option", { hasText: "Aveiro" }).first().waitFor({ state: "attached" });
  await page.getByRole("dialog").getByLabel("Factory").selectOption("aveiro");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });

  await bert.goto(`${office.url}/#/metadata?kind=machine&text=aveiro`);
  await bert.getByRole("button", { name: "aveiro/mill-1" }).click();
  await bert.getByRole("button", { name: "Save" }).waitFor();
  await page.getByRole("button", { name: "aveiro/mill-1" }).click();
  await page.getByLabel("Serial number").fill("SN of ada");
  await page.getByLabel("Machine type").fill("mill");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });

  await bert.getByLabel("Serial number").fill("SN of bert");
  await bert.getByRole("textbox", { name: "Name" }).fill("Mill one");
  await bert.getByRole("button", { name: "Save" }).click();
  const conflict = bert.locator(".conflict");
  await conflict.getByText("ada has changed this meanwhile").waitFor();
  const disputed = conflict.locator("tr.disputed");
  expect(await disputed.count()).toBe(1);
  expect(await disputed.innerText()).toMatch(/SN of bert[\s\S]*SN of ada/);
  await disputed.getByText("SN of ada").click();
  await bert.getByRole("button", { name: "Save what is chosen" }).click();
  await bert.getByRole("dialog").waitFor({ state: "detached" });
  const { body } = await stored("aveiro/mill-1");
  expect(body.data).toMatchObject({ serialNumber: "SN of ada", typeName: "mill", name: "Mill one" });

  await bert.getByRole("button", { name: "Mill one" }).click();
  await bert.getByText("History").click();
  await bert.getByText("Machine Updated").nth(1).waitFor();
  expect(await bert.locator(".history").innerText()).toMatch(
    /Machine Updated by bert[\s\S]*Machine Updated by ada[\s\S]*Machine Created by ada/,
  );
  // Deleting is the administrator's.
  expect(await bert.getByRole("button", { name: "Delete …" }).count()).toBe(0);
  await bert.context().close();
  await page.getByRole("button", { name: "Mill one" }).click();
  await page.getByRole("button", { name: "Delete …" }).click();
  await page.getByRole("button", { name: "Yes, delete" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Mill one" }).waitFor({ state: "detached" });
  expect(complaints.filter((each) => !/status of (400|412)/.test(each))).toEqual([]);
  expect(factory).toBe("redmond");
});

test("reports can be taken along as CSV, and print without the page's frame", async () => {
  await page.goto(`${office.url}/#/reports`);
  await page.getByText(/Anomalous readings use/).waitFor();
  await page.locator(".scatter path").first().waitFor({ state: "attached" });
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Table as CSV" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("electricity-groups.csv");
  const stream = await download.createReadStream();
  let text = "";
  for await (const part of stream) text += part;
  expect(text.split("\r\n")).toHaveLength(8);
  expect(text).toMatch(/^factory,all_count,/);
  await page.emulateMedia({ media: "print" });
  expect(await page.locator(".bar").isVisible()).toBe(false);
  expect(await page.locator(".filters").isVisible()).toBe(false);
  expect(await page.locator(".histogram").isVisible()).toBe(true);
  const pdf = await page.pdf({ format: "A4" });
  expect(pdf.subarray(0, 4).toString()).toBe("%PDF");
  await page.emulateMedia({ media: null });
  expect(complaints).toEqual([]);
});

test("by night it is dark, by day it is light, and on a tablet nothing sticks out", async () => {
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 820, height: 1_180 });
    for (const hash of [
      "#/",
      "#/machines",
      `#/machine?id=${encodeURIComponent(PRESS)}`,
      "#/ledger",
      "#/reports",
      "#/accounts",
    ]) {
      await page.goto(`${office.url}/${hash}`);
      await page.locator("main h1").waitFor();
      const found = await page.evaluate(() => ({
        width: document.documentElement.scrollWidth,
        ground: getComputedStyle(document.body).backgroundColor,
      }));
      expect([hash, found.width]).toEqual([hash, 820]);
      const light = Number(/\d+/.exec(found.ground)?.[0]);
      expect(light > 128).toBe(colorScheme === "light");
    }
  }
  await page.setViewportSize({ width: 1_280, height: 800 });
  expect(complaints).toEqual([]);
});

test("a session that has ended asks for the login and comes back to the same place", async () => {
  await page.goto(`${office.url}/#/machine?id=${encodeURIComponent(PRESS)}`);
  await page.locator(".machine h1").waitFor();
  await office.db.database.query("DELETE FROM app.session");
  await page.getByText("Your session has ended").waitFor({ timeout: 10_000 });
  await page.getByLabel("Name").fill(ADA.name);
  await page.getByLabel("Password").fill(ADA.password);
  await page.keyboard.press("Enter");
  await page.locator(".machine h1").waitFor();
  complaints.length = 0;
});

async function stored(id: string): Promise<{ body: { data: Record<string, unknown> } }> {
  const [document] = await office.store.get(
    "metadata",
    [{ partition: { stream: `machine/${id}`, part: "" }, id: "state" }],
    AbortSignal.timeout(5_000),
  );
  return { body: document?.fields as unknown as { data: Record<string, unknown> } };
}
