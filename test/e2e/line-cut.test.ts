import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import sparticuz from "@sparticuz/chromium";
import { chromium } from "playwright-core";
import { build } from "vite";
import { beforeAll, expect, test } from "vitest";
import { readHubConnections } from "../../cloud-sync/hub/hub-file.ts";
import { runCli, startCli, temporaryFolder, until } from "../../edge/cli/testing.ts";
import { WEB_ROOT } from "../../edge/dashboard/component.ts";
import type { Uplink, UplinkView } from "../../edge/dashboard/schemas/uplink.ts";
import { openLogReader } from "../../edge/log/reader.ts";
import { HubReader } from "../support/hub-reader.ts";

// The demo as anybody starts it: simulator, local hub, line, collector, dashboard and uplink, all real, through the command line.
const READY_MS_MAX = 60_000;
const CUT_MS = 8_000;

interface Ready {
  readonly dashboardUrl: string;
  readonly hub: { readonly connections: string } | null;
}

beforeAll(async () => {
  // The launcher has built the page; without it, the tests do.
  if (!existsSync(join(WEB_ROOT, "index.html"))) await build({ root: join(WEB_ROOT, ".."), logLevel: "error" });
});

async function startDemo(cwd: string, ...args: string[]) {
  const demo = startCli(["demo", "--port", "0", "--json", ...args], { cwd });
  const [line] = await demo.untilPrinted(/^\{.*"ready":true.*\}$/m, READY_MS_MAX);
  return { demo, ready: JSON.parse(line) as Ready };
}

async function lineOf(dashboardUrl: string): Promise<UplinkView | undefined> {
  const response = await fetch(new URL("/api/uplink", dashboardUrl), { signal: AbortSignal.timeout(2_000) });
  return ((await response.json()) as Uplink).uplink ?? undefined;
}

test("P28 P01 the line is cut and mended: the dashboard says so, and the hub has every event of the log", async () => {
  const cwd = temporaryFolder();
  const { demo, ready } = await startDemo(cwd);
  const said = () => demo.stderr();
  const eventsOfHub = readHubConnections(ready.hub?.connections ?? "").eventsPlain ?? "";
  await using reader = new HubReader(eventsOfHub);
  const condition = async (wanted: UplinkView["condition"]) => {
    const line = await lineOf(ready.dashboardUrl);
    return line?.condition === wanted ? line : undefined;
  };
  await until(() => condition("sending"), 30_000, said);
  await until(() => reader.events > 100 || undefined, 30_000, said);
  expect((await runCli(["uplink", "status"], { cwd })).code).toBe(0);

  const browser = await chromium.launch({ executablePath: await sparticuz.executablePath(), args: sparticuz.args });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${ready.dashboardUrl}#/uplink`);
    await page.locator('[data-uplink="sending"]').waitFor();

    const cut = await runCli(["demo", "line", "cut"], { cwd });
    expect([cut.code, cut.stdout]).toEqual([
      0,
      expect.stringMatching(/^the line is cut since .*: tailstock demo line mend\n$/),
    ]);
    await page.locator('[data-uplink="cut"]').waitFor({ timeout: 20_000 });
    await page.getByText(/The line to the cloud is cut since .* Nothing is lost: [1-9]/).waitFor({ timeout: 20_000 });
    await delay(CUT_MS);
    const waiting = await until(() => condition("cut"), 5_000, said);
    expect(waiting.waiting.readings).toBeGreaterThan(500);
    expect((await runCli(["uplink", "status"], { cwd })).code).toBe(1);

    expect((await runCli(["demo", "line", "mend"], { cwd })).stdout).toMatch(/^the line is whole since /);
    await page.locator('[data-uplink="sending"], [data-uplink="catching-up"]').waitFor({ timeout: 40_000 });
  } finally {
    await browser.close();
  }
  // Frozen, nothing is reset: the uplink must find out by itself that nothing comes back.
  expect((await runCli(["demo", "line", "freeze", "--for", "3s"], { cwd })).stdout).toMatch(/mends itself in/);
  await until(
    async () => (await runCli(["demo", "line"], { cwd })).stdout.includes("whole") || undefined,
    10_000,
    said,
  );

  demo.child.kill("SIGINT");
  const startedMs = Date.now();
  expect((await demo.ended).code).toBe(0);
  expect(Date.now() - startedMs).toBeLessThan(5_000);

  // The next start sends what the first one could not; then both sides are compared, event by event.
  const again = await startDemo(cwd);
  await using last = new HubReader(readHubConnections(again.ready.hub?.connections ?? "").eventsPlain ?? "");
  const log = openLogReader(join(cwd, "data", "demo", "tailstock.db"));
  const head = log.head();
  await until(() => log.cursor("uplink.telemetry") >= head || undefined, 60_000, again.demo.stderr);
  const upTo = new Map(log.streams().map(({ machineId }) => [machineId, 0]));
  for (const event of log.readAfter(0, { limitEvents: 10_000 }))
    if (event.offset <= head) upTo.set(event.machineId, event.seq);
  const missing = () =>
    [...upTo].flatMap(([machineId, lastSeq]) =>
      Array.from({ length: lastSeq }, (_, index) => index + 1)
        .filter((seq) => !last.has(log.epoch, machineId, seq))
        .map((seq) => `${machineId} ${seq}`),
    );
  await until(
    () => missing().length === 0 || undefined,
    30_000,
    () => `${missing().slice(0, 20)} ${last.failures}`,
  );
  expect(missing()).toEqual([]);
  expect(last.failures).toEqual([]);
  log.close();
  again.demo.child.kill("SIGINT");
  expect((await again.demo.ended).code).toBe(0);
}, 240_000);

test("the factory does not wait for the cloud: when the hub can't start, the demo goes on without it", async () => {
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, "data", "demo"), { recursive: true });
  writeFileSync(join(cwd, "data", "demo", "hub"), "a file where the hub wants its folder");
  const { demo, ready } = await startDemo(cwd);
  expect(ready.hub).toBeNull();
  const floor = await fetch(new URL("/api/floor", ready.dashboardUrl));
  expect(((await floor.json()) as { machines: unknown[] }).machines.length).toBeGreaterThan(10);
  demo.child.kill("SIGINT");
  expect((await demo.ended).code).toBe(0);
}, 120_000);

test("without a hub the demo has no line, and its command says so", async () => {
  const cwd = temporaryFolder();
  const { demo, ready } = await startDemo(cwd, "--no-hub");
  expect(ready.hub).toBeNull();
  const { code, stderr } = await runCli(["demo", "line", "cut"], { cwd });
  expect([code, stderr]).toEqual([2, expect.stringContaining("this demo has no line to a hub")]);
  demo.child.kill("SIGINT");
  expect((await demo.ended).code).toBe(0);
}, 120_000);
