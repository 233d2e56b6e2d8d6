import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sparticuz from "@sparticuz/chromium";
import pino from "pino";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CURSOR_BY_LANE, type UplinkStatus } from "../../cloud-sync/uplink/ports.ts";
import { uplinkStatePathOf } from "../../cloud-sync/uplink/state/schema.ts";
import { openUplinkState, type UplinkState } from "../../cloud-sync/uplink/state/uplink-state.ts";
import { DashboardComponent } from "../../edge/dashboard/component.ts";
import { FactoryLog } from "../../edge/dashboard/testing/factory-log.ts";
import { cutStatus, uplinkStatus } from "../../edge/dashboard/testing/uplink-status.ts";
import { UplinkFile } from "../../edge/dashboard/uplink/uplink-file.ts";
import { openLogReader } from "../../edge/log/reader.ts";

// The page as it is shipped, in a real Chromium; the uplink's word comes from its file, as from a process of its own.
const MILL = "redmond/mill-07";
const WEB = fileURLToPath(new URL("../../edge/dashboard/web", import.meta.url));
const factory = new FactoryLog();
const webRoot = join(factory.folder, "page");
const ending = new AbortController();
const complaints: string[] = [];
let state: UplinkState;
let browser: Browser;
let page: Page;
let url = "";
let ended: Promise<void> = Promise.resolve();
let isConfigured = true;

/** The uplink says it again each second, as one that runs does. */
let say: (nowMs: number) => UplinkStatus = (nowMs) => uplinkStatus(nowMs);
const speaking = setInterval(() => state?.saveStatus(say(Date.now())), 250);

beforeAll(async () => {
  await build({ root: WEB, logLevel: "error", build: { outDir: webRoot } });
  await factory.append(
    factory.machine(MILL, [{ name: "speed", title: "Spindle speed", unit: "rpm", key: true }]),
    factory.connection([MILL]),
  );
  factory.shiftMs = -60_000;
  for (; factory.shiftMs < 0; factory.shiftMs += 1_000) await factory.append(factory.telemetry(MILL, { speed: 8_000 }));
  factory.shiftMs = 0;
  factory.log.saveCursor(CURSOR_BY_LANE.telemetry, factory.log.head());
  state = openUplinkState(uplinkStatePathOf(factory.log.path), pino({ level: "silent" }));
  state.saveStatus(say(Date.now()));
  const log = openLogReader(factory.log.path);
  const component = new DashboardComponent({
    log,
    site: "redmond",
    clock: factory.clock,
    logger: pino({ level: "silent" }),
    bounds: { forwardedBy: CURSOR_BY_LANE.telemetry },
    uplink: new UplinkFile(factory.log.path, () => isConfigured),
    webRoot,
    host: "127.0.0.1",
    port: 0,
  });
  await new Promise<void>((resolve, reject) => {
    ended = component.run(ending.signal, resolve).finally(() => log.close());
    ended.catch(reject);
  });
  url = component.address ?? "";
  browser = await chromium.launch({ executablePath: await sparticuz.executablePath(), args: sparticuz.args });
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
});

afterAll(async () => {
  clearInterval(speaking);
  await browser?.close();
  ending.abort();
  await ended;
  state[Symbol.dispose]();
  factory.close();
});

const panel = () => page.locator("section.uplink");
const factOf = (title: string) => page.locator(".fact", { hasText: title });

test("a line that is well is grey: state, lag, rates, messages of today", async () => {
  await page.goto(`${url}/#/uplink`);
  await page.locator('[data-uplink="sending"]').waitFor();
  expect(await panel().getAttribute("class")).toContain("level-calm");
  expect(await panel().locator(".state").innerText()).toBe("Connected");
  expect(await panel().locator(".notice").count()).toBe(0);
  expect(await factOf("Waiting").locator(".fact-value").innerText()).toMatch(/^0\s+readings$/);
  expect(await factOf("Messages today").innerText()).toMatch(/1248\s+1390 of 400.000 units of 4.KB, 4\.3 MB/);
  const telemetry = page.locator('[data-lane="telemetry"] td');
  expect(await telemetry.allInnerTexts()).toEqual(["12", "4 s", "13", "1.4 kB/s", "–"]);
  expect(await page.locator(".bar .count").count()).toBe(0);
});

test("a cut shows within two seconds, on the floor too: since when, that nothing is lost, what waits, how long there is room", async () => {
  const sinceMs = Date.now();
  await factory.append(factory.telemetry(MILL, { speed: 8_001 }), factory.telemetry(MILL, { speed: 8_002 }));
  say = (nowMs) => cutStatus(nowMs, sinceMs);
  await page.locator('[data-uplink="cut"]').waitFor({ timeout: 2_500 });
  const notice = panel().locator(".notice").first();
  await notice.getByText("2 readings wait").waitFor();
  expect(await notice.innerText()).toMatch(
    /^The line to the cloud is cut since \d\d:\d\d:\d\d\. Nothing is lost: 2 readings wait, room for \d+ d\.$/,
  );
  await panel().getByText("hub.azure-devices.net:8883 refuses connections").waitFor();
  await panel().getByText("Check the network cable or the modem.").waitFor();
  expect(await page.locator(".bar .count").count()).toBe(1);
  await page.getByRole("link", { name: "Floor" }).click();
  await page.locator('.notice[data-uplink="cut"]').waitFor();
  await page.getByRole("link", { name: "Details" }).click();
  await panel().waitFor();
});

test("catching up says how much is left and how long it takes; a message that cannot go is amber", async () => {
  const lanes = uplinkStatus(0).lanes;
  const telemetry = { ...lanes.telemetry, backlogEvents: 9_000, lagMs: 600_000, drainMs: 42_000 };
  say = (nowMs) => uplinkStatus(nowMs, { lanes: { ...lanes, telemetry }, deadLetters: 1 });
  await page.locator('[data-uplink="catching-up"]').waitFor();
  await panel().getByText("The line is back: 2 readings still to send.").waitFor();
  expect(await factOf("Time to drain").locator(".fact-value").innerText()).toBe("42 s");
  await panel().getByText("1 message was set aside because the hub cannot take it.").waitFor();
  expect(await panel().getAttribute("class")).toContain("level-warn");
});

test("an uplink that was killed is told from one whose line is cut", async () => {
  say = () => uplinkStatus(Date.now() - 60_000);
  await page.locator('[data-uplink="silent"]').waitFor();
  expect(await panel().getAttribute("class")).toContain("stale");
  await panel()
    .getByText(/^The uplink has said nothing since \d\d:\d\d:\d\d\. Check that it runs\./)
    .waitFor();
});

test("once the configuration has no uplink, its page says what to write and its link goes", async () => {
  isConfigured = false;
  await page.getByRole("heading", { name: "No line to a cloud" }).waitFor();
  expect(await page.getByRole("link", { name: "Cloud line" }).count()).toBe(0);
  expect(complaints).toEqual([]);
});
