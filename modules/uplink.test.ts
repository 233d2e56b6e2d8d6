import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import type { LedgerRange } from "../cloud-sync/contract/ledger.ts";
import { freePort } from "../edge/cli/demo/demo-config.ts";
import { connectionsOf, startHub } from "../edge/cli/demo/hub-process.ts";
import { startSimulator } from "../edge/cli/demo/simulator-process.ts";
import { until } from "../edge/cli/testing.ts";
import type { Uplink } from "../edge/dashboard/schemas/uplink.ts";
import { openLogReader } from "../edge/log/reader.ts";
import { renderConfig } from "../edge/simulator/render-config.ts";
import { HubReader } from "../test/support/hub-reader.ts";
import { healthOf, type ModuleName, type ModuleProcess, startModule } from "../test/support/module-process.ts";

// Goal: collector, dashboard and uplink as three processes on one log, as edgeAgent runs them; each is killed and started
// again alone, and the hub has every event that the log ever gave a number. Method: the real simulator, the real local hub.
const folder = mkdtempSync(join(tmpdir(), "tailstock-modules-"));
const stop = new AbortController();
const children: ChildProcess[] = [];
afterAll(() => {
  stop.abort();
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const configPath = join(folder, "tailstock.yaml");
const at = { configPath, cwd: folder };

function start(name: ModuleName): ModuleProcess {
  const module = startModule(name, at);
  children.push(module.child);
  return module;
}

async function kill({ child, ended }: ModuleProcess): Promise<void> {
  child.kill("SIGKILL");
  await ended;
}

const sharedSeqs = (ledger: readonly LedgerRange[]): number =>
  ledger.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0);

test("P02 P08 collector, dashboard and uplink on one log: each dies and comes back alone, and nothing is lost", async () => {
  const parts = { folder, nodeArguments: [], signal: stop.signal };
  const [simulator, hub] = await Promise.all([
    startSimulator({ seed: 7, ...parts }),
    startHub({ ...parts, folder: join(folder, "hub"), devices: ["box"] }),
  ]);
  try {
    const { devices, eventsPlain } = connectionsOf(hub);
    writeFileSync(join(folder, "uplink.connection"), devices.box ?? "");
    const port = await freePort(0);
    writeFileSync(
      configPath,
      renderConfig({
        opcuaEndpointUrl: simulator.addresses.opcua,
        modbusPort: Number(new URL(simulator.addresses.modbus).port),
        logPath: "tailstock.db",
        pkiPath: "pki",
        dashboardPort: port,
        uplink: { connectionStringFile: "uplink.connection", ca: hub.addresses.ca },
      }),
    );
    await using reader = new HubReader(eventsPlain ?? "");
    // The uplink first: it waits for the log that the collector makes.
    let uplink = start("uplink");
    await until(() => /waiting for the collector/.exec(uplink.output()) ?? undefined, 20_000, uplink.output);
    let collector = start("collector");
    let dashboard = start("dashboard");
    const said = () => `${uplink.output()}\n${collector.output()}\n${dashboard.output()}\n${reader.failures}`;
    const grows = async (what: string) => {
      const before = reader.events;
      await until(
        () => reader.events > before + 60 || undefined,
        60_000,
        () => `${what}: ${reader.events}\n${said()}`,
      );
    };
    await grows("at first");
    const shown = async (): Promise<Uplink["uplink"] | undefined> => {
      const response = await fetch(`http://127.0.0.1:${port}/api/uplink`).catch(() => undefined);
      return response?.ok ? ((await response.json()) as Uplink).uplink : undefined;
    };
    await until(async () => (await shown())?.condition === "sending" || undefined, 30_000, said);
    expect(await healthOf("uplink", at)).toBe(0);

    await kill(collector);
    await delay(1_000);
    collector = start("collector");
    await grows("after the collector");
    await kill(dashboard);
    await grows("without the dashboard");
    dashboard = start("dashboard");
    await kill(uplink);
    await until(async () => (await shown())?.condition === "silent" || undefined, 40_000, said);
    expect(await healthOf("uplink", at)).toBe(1);
    uplink = start("uplink");
    await grows("after the uplink");

    // The collector ends in order; what it wrote last goes too, and then both sides are compared.
    collector.child.kill("SIGTERM");
    expect(await collector.ended).toBe(0);
    const log = openLogReader(join(folder, "tailstock.db"));
    await until(
      () => reader.missingOf(log).length === 0 || undefined,
      60_000,
      () => `${reader.missingOf(log)}\n${said()}`,
    );
    const ledger = log.ledger();
    expect(reader.missingOf(log)).toEqual([]);
    // The hub has those and no others: it made up nothing.
    expect(reader.events).toBe(sharedSeqs(ledger));
    expect(reader.failures).toEqual([]);
    log.close();
    uplink.child.kill("SIGTERM");
    expect(await uplink.ended).toBe(0);
    expect(uplink.output()).toContain("module ended in order");
    dashboard.child.kill("SIGTERM");
    expect(await dashboard.ended).toBe(0);
  } finally {
    await Promise.all([simulator.stop(), hub.stop()]);
  }
}, 240_000);
