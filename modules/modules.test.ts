import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { freePort } from "../edge/cli/demo/demo-config.ts";
import { startSimulator } from "../edge/cli/demo/simulator-process.ts";
import { until } from "../edge/cli/testing.ts";
import { renderConfig } from "../edge/simulator/render-config.ts";
import {
  healthOf,
  type ModuleName,
  type ModuleProcess,
  startModule as startModuleProcess,
} from "../test/support/module-process.ts";

// The two containers as two real processes on one log, as edgeAgent would run them.
const folder = mkdtempSync(join(tmpdir(), "tailstock-modules-"));
const stop = new AbortController();
const children: ChildProcess[] = [];
afterAll(() => {
  stop.abort();
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

function startModule(name: ModuleName, configPath: string): ModuleProcess {
  const module = startModuleProcess(name, { configPath, cwd: folder });
  children.push(module.child);
  return module;
}

interface Floor {
  readonly machines: readonly {
    readonly machineId: string;
    readonly updatedMs: number | null;
    readonly keys: readonly { readonly name: string; readonly value: unknown; readonly statusCode: number | null }[];
  }[];
}

async function floor(port: number): Promise<Floor | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/api/floor`, { signal: AbortSignal.timeout(2_000) });
    return response.ok ? ((await response.json()) as Floor) : undefined;
  } catch {
    return undefined;
  }
}

/** When the newest value of the machine came, once every key value of it is Good. */
async function goodSince(port: number, machineId: string, afterMs: number): Promise<number | undefined> {
  const machine = (await floor(port))?.machines.find((each) => each.machineId === machineId);
  const isGood = machine?.keys.length && machine.keys.every(({ statusCode }) => statusCode === 0);
  return isGood && machine.updatedMs !== null && machine.updatedMs > afterMs ? machine.updatedMs : undefined;
}

const health = (name: ModuleName, configPath: string) => healthOf(name, { configPath, cwd: folder });

test("collector and dashboard are processes of their own on one log; each survives the other's death", async () => {
  const simulator = await startSimulator({ seed: 7, folder, nodeArguments: [], signal: stop.signal });
  try {
    const port = await freePort(0);
    const configPath = join(folder, "tailstock.yaml");
    const modbusPort = Number(new URL(simulator.addresses.modbus).port);
    writeFileSync(
      configPath,
      renderConfig({
        opcuaEndpointUrl: simulator.addresses.opcua,
        modbusPort,
        logPath: "tailstock.db",
        pkiPath: "pki",
        dashboardPort: port,
      }),
    );
    // The dashboard first: it waits for the log that the collector makes.
    const dashboard = startModule("dashboard", configPath);
    await until(() => /waiting for the collector/.exec(dashboard.output()) ?? undefined, 20_000, dashboard.output);
    const collector = startModule("collector", configPath);
    const said = () => `${collector.output()}\n${dashboard.output()}`;
    const opcuaMs = await until(() => goodSince(port, "redmond/mill-01", 0), 30_000, said);
    const modbusMs = await until(() => goodSince(port, "redmond/press-01", 0), 15_000, said);
    await until(() => goodSince(port, "redmond/mill-01", opcuaMs), 10_000, said);
    await until(() => goodSince(port, "redmond/press-01", modbusMs), 10_000, said);
    expect(await health("collector", configPath)).toBe(0);
    expect(await health("dashboard", configPath)).toBe(0);

    collector.child.kill("SIGKILL");
    await collector.ended;
    expect((await floor(port))?.machines.length).toBeGreaterThanOrEqual(13);
    const killedMs = Date.now();
    const heir = startModule("collector", configPath);
    await until(() => goodSince(port, "redmond/mill-01", killedMs), 30_000, heir.output);

    dashboard.child.kill("SIGTERM");
    expect(await dashboard.ended).toBe(0);
    expect(await health("dashboard", configPath)).not.toBe(0);
    heir.child.kill("SIGTERM");
    expect(await heir.ended).toBe(0);
    expect(heir.output()).toContain("module ended in order");
  } finally {
    await simulator.stop();
  }
}, 150_000);

test("a module without its configuration says so and ends with a failure", async () => {
  const missing = join(folder, "nowhere.yaml");
  const module = startModule("collector", missing);
  expect(await module.ended).toBe(1);
  expect(module.output()).toContain("CONFIG_UNREADABLE");
  expect(module.output()).toContain(missing);
});
