import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AttributeIds, type DataValue, TimestampsToReturn } from "node-opcua";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { injectFault, listMachines } from "./control-client.ts";
import { LOAD_NAMESPACE_URI, loadNodeName, renderLoadConfig } from "./load-server.ts";
import { connectModbus, connectOpcua, scratchFolder, until } from "./test-clients.ts";

let folder: Awaited<ReturnType<typeof scratchFolder>>;
const children: ChildProcess[] = [];
beforeAll(async () => {
  folder = await scratchFolder();
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await folder[Symbol.asyncDispose]();
});

/** Starts a main of this folder, without any program on its PATH, and gives the facts of its ready line. */
async function start<Facts>(main: string, args: readonly string[]): Promise<{ child: ChildProcess; facts: Facts }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, main), ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: "/nonexistent", HOME: folder.path, TMPDIR: folder.path },
  });
  children.push(child);
  let complaints = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaints = `${complaints}${chunk}`.slice(-2000);
  });
  if (child.stdout === null) throw new Error("No stdout.");
  const line = await Promise.race([
    once(createInterface({ input: child.stdout }), "line").then(([text]) => String(text)),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`${main} ended with ${code}: ${complaints}`))),
  ]);
  return { child, facts: JSON.parse(line) as Facts };
}

/** Milliseconds until the child has gone. */
async function end(child: ChildProcess, how: () => void): Promise<number> {
  const startMs = performance.now();
  const gone = once(child, "exit");
  how();
  const [code] = await gone;
  expect(code).toBe(0);
  return performance.now() - startMs;
}

test("the factory as a process of its own: one ready line, real protocols, control, and it ends when its parent is gone", async () => {
  const { child, facts } = await start<{ opcua: string; modbus: string; control: string; pid: number }>("main.ts", [
    "--seed",
    "51",
    "--mills",
    "1",
    "--lathes",
    "1",
    "--presses",
    "1",
    "--pki",
    join(folder.path, "factory"),
  ]);
  expect(facts.pid).toBe(child.pid);
  expect(facts.opcua).toMatch(/^opc\.tcp:\/\/127\.0\.0\.1:\d+\/UA\/Line$/);
  {
    await using opcua = await connectOpcua(facts.opcua, { secure: true, pkiPath: folder.path });
    expect(typeof (await opcua.read("lathe-01.Program.Name")).value.value).toBe("string");
    await using press = await connectModbus(Number(new URL(facts.modbus).port), 1);
    expect((await press.readInputRegisters(0, 20)).data).toHaveLength(20);
    expect(await listMachines(facts.control)).toHaveLength(4);
    await injectFault(facts.control, { kind: "lost", machineId: "lathe-01", signal: "power", durationMs: 60_000 });
    expect((await opcua.read("lathe-01.Power.Active")).statusCode.name).toBe("BadSensorFailure");
  }
  expect(await end(child, () => child.stdin?.end())).toBeLessThan(3000);
});

test("SIGTERM ends it within three seconds, a wrong argument at once with one sentence", async () => {
  const { child } = await start("main.ts", ["--mills", "1", "--lathes", "0", "--presses", "0"]);
  expect(await end(child, () => child.kill("SIGTERM"))).toBeLessThan(3000);
  const schedule = join(folder.path, "schedule.json");
  writeFileSync(schedule, '[{"afterMs":0,"kind":"spike","machineId":"mill-01"}]');
  await expect(start("main.ts", ["--schedule", schedule])).rejects.toThrow(
    /schedule.json is no schedule of faults: .*durationMs/,
  );
  await expect(start("main.ts", ["--mills", "many"])).rejects.toThrow(/ended with 1: --mills is "many"/);
});

test("the load server: all doubles change once an interval, distinct, stamped with the moment of the change", async () => {
  const { child, facts } = await start<{ endpointUrl: string; signals: number }>("load-main.ts", [
    "--signals",
    "250",
    "--interval",
    "200",
    "--pki",
    join(folder.path, "load"),
  ]);
  expect(facts.signals).toBe(250);
  {
    await using opcua = await connectOpcua(facts.endpointUrl, {
      pkiPath: folder.path,
      namespaceUri: LOAD_NAMESPACE_URI,
    });
    const subscription = await opcua.session.createSubscription2({
      requestedPublishingInterval: 50,
      requestedLifetimeCount: 1000,
      requestedMaxKeepAliveCount: 20,
      publishingEnabled: true,
    });
    const seen = new Map<number, { value: number; atMs: number }[]>();
    const namespaces = await opcua.session.readNamespaceArray();
    const items = await subscription.monitorItems(
      Array.from({ length: 250 }, (_, index) => ({
        nodeId: `ns=${namespaces.indexOf(LOAD_NAMESPACE_URI)};s=${loadNodeName(index)}`,
        attributeId: AttributeIds.Value,
      })),
      { samplingInterval: 0, queueSize: 20, discardOldest: true },
      TimestampsToReturn.Both,
    );
    let lateMsMax = 0;
    items.on("changed", (_item, dataValue: DataValue, index: number) => {
      const atMs = dataValue.sourceTimestamp?.getTime() ?? 0;
      const list = seen.get(index) ?? [];
      // The first value is as old as it is; from then on each is fresh.
      if (list.length > 0) lateMsMax = Math.max(lateMsMax, Date.now() - atMs);
      seen.set(index, [...list, { value: Number(dataValue.value.value), atMs }]);
    });
    await until(
      "every signal has changed five times",
      () => seen.size === 250 && [...seen.values()].every((l) => l.length >= 6),
    );
    for (const [index, list] of seen) {
      expect(list.every(({ value }) => Math.floor(value) === index)).toBe(true);
      const steps = list.slice(1).map(({ atMs }, position) => atMs - (list[position]?.atMs ?? 0));
      const meanMs = steps.reduce((sum, step) => sum + step, 0) / steps.length;
      expect(meanMs).toBeGreaterThan(120);
      expect(meanMs).toBeLessThan(320);
    }
    expect(lateMsMax).toBeLessThan(2000);
  }
  expect(await end(child, () => child.stdin?.end())).toBeLessThan(3000);
});

test("the load's config names every signal once, also when they do not fill the last machine", () => {
  const config = parse(renderLoadConfig("opc.tcp://127.0.0.1:4842/UA/Load", 250)) as {
    machineTypes: Record<string, { signals: Record<string, { node: string }> }>;
    machines: Record<string, { type: string }>;
  };
  const nodes = Object.entries(config.machines).flatMap(([id, { type }]) =>
    Object.values(config.machineTypes[type]?.signals ?? {}).map(({ node }) => node.replace(/\$\{machine\}/, id)),
  );
  expect(nodes).toEqual(
    Array.from({ length: 250 }, (_, index) => `nsu=${LOAD_NAMESPACE_URI};s=${loadNodeName(index)}`),
  );
});
