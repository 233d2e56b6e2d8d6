import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EdgeError } from "../kernel/errors.ts";
import { startControl } from "./control.ts";
import { injectFault, listFaults, listMachines } from "./control-client.ts";
import { createFactory } from "./factory.ts";
import type { TruthLine } from "./fault.ts";
import { isListening, scratchFolder, until } from "./test-clients.ts";

let folder: Awaited<ReturnType<typeof scratchFolder>>;
beforeAll(async () => {
  folder = await scratchFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

const SMALL = { mills: 1, lathes: 0, presses: 1, tickMs: 20 } as const;

test("scheduled and injected faults are in the truth file, at both ends, and stop closes what is open", async () => {
  const truthPath = join(folder.path, "truth", "faults.jsonl");
  const factory = createFactory({
    ...SMALL,
    seed: 41,
    truthPath,
    pkiPath: join(folder.path, "pki"),
    schedule: [
      { afterMs: 150, kind: "dip", machineId: "press-01", durationMs: 100 },
      { afterMs: 100, kind: "spike", machineId: "mill-01", signal: "power", durationMs: 100 },
    ],
  });
  const beganMs = Date.now();
  await factory.start();
  await until("both scheduled faults have ended", () => factory.plant.faults.ended.length === 2);
  factory.inject({ kind: "bearing-wear", machineId: "mill-01", durationMs: 600_000 });
  const stopMs = performance.now();
  await factory.stop();
  expect(performance.now() - stopMs).toBeLessThan(3000);
  const truth = readFileSync(truthPath, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TruthLine);
  const story = truth.map(({ at, fault, machineId }) => `${at} ${fault} ${machineId}`);
  expect(story.slice(0, 1)).toEqual(["start spike redmond/mill-01"]);
  expect(story.slice(-2)).toEqual(["start bearing-wear redmond/mill-01", "end bearing-wear redmond/mill-01"]);
  expect(story.toSorted()).toEqual(
    ["spike redmond/mill-01", "dip redmond/press-01", "bearing-wear redmond/mill-01"]
      .flatMap((fault) => [`start ${fault}`, `end ${fault}`])
      .toSorted(),
  );
  for (const { at, startMs, endMs } of truth) {
    expect(startMs).toBeGreaterThanOrEqual(beganMs);
    if (at === "end") expect(endMs).toBeLessThanOrEqual(Date.now());
  }
  expect(await isListening(factory.opcuaPort)).toBe(false);
  expect(await isListening(factory.modbusPort)).toBe(false);
});

test("a factory stops within three seconds also while a line is down", async () => {
  const factory = createFactory({ ...SMALL, seed: 42, pkiPath: join(folder.path, "pki") });
  await factory.start();
  factory.inject({ kind: "link-down", machineId: "mill-01", durationMs: 600_000 });
  factory.inject({ kind: "server-restart", machineId: "press-01", durationMs: 600_000 });
  expect(() => factory.inject({ kind: "server-restart", machineId: "mill-01", durationMs: 500 })).toThrow(
    /down already/,
  );
  await until("the OPC UA line is down", async () => !(await isListening(factory.opcuaPort)));
  const stopMs = performance.now();
  await factory.stop();
  await factory.stop();
  expect(performance.now() - stopMs).toBeLessThan(3000);
  expect(await isListening(factory.opcuaPort)).toBe(false);
  expect(await isListening(factory.modbusPort)).toBe(false);
});

test("a port that is taken is one sentence with a hint, and nothing stays open", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  const address = squatter.address();
  const taken = typeof address === "object" && address !== null ? address.port : 0;
  try {
    for (const ports of [{ opcuaPort: taken }, { modbusPort: taken }]) {
      const factory = createFactory({ ...SMALL, ...ports, seed: 43, pkiPath: join(folder.path, "pki") });
      const refused = await factory.start().catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(EdgeError);
      expect(refused).toMatchObject({ code: "PORT_IN_USE" });
      expect((refused as EdgeError).message).toContain(String(taken));
      expect((refused as EdgeError).hint).toBeDefined();
      if ("opcuaPort" in ports) expect(await isListening(factory.modbusPort)).toBe(false);
    }
  } finally {
    squatter.close();
  }
});

test("senseless options are refused", () => {
  expect(() => createFactory({ seed: 1, mills: -1 })).toThrow(/mills is -1/);
  expect(() => createFactory({ seed: 1, presses: 2.5 })).toThrow(/presses is 2.5/);
  const impossible = { afterMs: 0, kind: "spike", machineId: "mill-06", durationMs: 1000 } as const;
  expect(() => createFactory({ seed: 1, schedule: [impossible] })).toThrow(/no machine "mill-06"/);
  expect(() => createFactory({ seed: 1, tickMs: 0 })).toThrow(/tickMs is 0/);
  expect(() => createFactory({ seed: 1, timeScale: Number.NaN })).toThrow(/timeScale is NaN/);
});

test("another process injects, lists and ends faults over HTTP, and is told why one is refused", async () => {
  const factory = createFactory({ ...SMALL, seed: 44, pkiPath: join(folder.path, "pki") });
  await factory.start();
  const control = await startControl(factory, 0);
  try {
    const machines = await listMachines(control.url);
    expect(machines.map(({ machineId }) => machineId)).toEqual([
      "redmond/mill-01",
      "redmond/press-01",
      "redmond/compressor-01",
    ]);
    expect(machines[1]?.signals.find(({ name }) => name === "machinePressure")).toEqual({
      name: "machinePressure",
      title: "Hydraulic pressure",
      unit: "psi",
      analog: true,
    });
    const fault = await injectFault(control.url, {
      kind: "shift",
      machineId: "redmond/press-01",
      signal: "machineTemperature",
      durationMs: 60_000,
      magnitude: 0.25,
    });
    expect(fault).toMatchObject({ fault: "shift", machineId: "redmond/press-01", signals: ["machineTemperature"] });
    expect(fault.endMs - fault.startMs).toBe(60_000);
    const line = await injectFault(control.url, { kind: "link-down", machineId: "press-01", durationMs: 300 });
    expect(line.params.machineIds).toEqual(["redmond/press-01", "redmond/compressor-01"]);
    expect((await listFaults(control.url)).active.map(({ id }) => id)).toEqual([fault.id, line.id]);
    const deleted = await fetch(`${control.url}/faults/${fault.id}`, { method: "DELETE" });
    expect(deleted.status).toBe(204);
    await until("both have ended", async () => (await listFaults(control.url)).ended.length === 2);

    await expect(
      injectFault(control.url, { kind: "spike", machineId: "mill-09", durationMs: 1000 }),
    ).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining('no machine "mill-09"'),
      hint: expect.stringContaining("mill-01"),
    });
    for (const body of [
      '{"kind":"meteor","machineId":"mill-01","durationMs":1000}',
      '{"kind":"spike","machineId":"mill-01"}',
      "{",
    ]) {
      const answer = await fetch(`${control.url}/faults`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      });
      expect(answer.status, body).toBe(400);
    }
    const plain = await fetch(`${control.url}/faults`, { method: "POST", body: '{"kind":"spike"}' });
    expect(plain.status).toBe(415);
  } finally {
    await control[Symbol.asyncDispose]();
    await factory.stop();
  }
  await expect(listMachines(control.url)).rejects.toMatchObject({ code: "DRIVER_NOT_CONNECTED" });
});
