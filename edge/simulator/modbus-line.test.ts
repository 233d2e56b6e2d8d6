import { afterAll, beforeAll, expect, test } from "vitest";
import { createFactory, type Factory } from "./factory.ts";
import { connectModbus, isListening, scratchFolder, until } from "./test-clients.ts";

let folder: Awaited<ReturnType<typeof scratchFolder>>;
/** Its clock ticks once an hour: what is read is exactly what the plant holds. */
let frozen: Factory;

beforeAll(async () => {
  folder = await scratchFolder();
  frozen = createFactory({ seed: 31, tickMs: 3_600_000, mills: 0, lathes: 0, presses: 2, pkiPath: folder.path });
  await frozen.start();
});

afterAll(async () => {
  await frozen.stop();
  await folder[Symbol.asyncDispose]();
});

const held = (machineId: string, name: string) => frozen.plant.machine(machineId).signal(name).value;

test("a press speaks float32 CDAB, scaled int16, uint32, uint64, strings, bits, coils and discrete inputs", async () => {
  await using press = await connectModbus(frozen.modbusPort, 2);
  const input = (await press.readInputRegisters(0, 20)).buffer;
  const word = (index: number): number => input.readUInt16BE(index * 2);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(word(1), 0); // CDAB: the low word comes first
  bytes.writeUInt16BE(word(0), 2);
  expect(bytes.readFloatBE()).toBe(held("press-02", "machineTemperature"));
  expect(word(2) * 0.5).toBe(held("press-02", "machinePressure"));
  expect(input.readInt16BE(6) / 100).toBe(held("press-02", "electricityUtilization"));
  expect(input.readInt16BE(8) / 10).toBe(held("press-02", "ambientTemperature"));
  expect(word(5)).toBe(held("press-02", "ambientHumidity"));
  expect(input.readUInt32BE(16)).toBe(held("press-02", "strokes"));
  bytes.writeUInt16LE(word(10), 0); // BADC: the bytes of each word are swapped
  bytes.writeUInt16LE(word(11), 2);
  expect(bytes.readFloatBE()).toBe(held("press-02", "strokeRate"));
  expect(word(12) / 10).toBe(held("press-02", "dieWear"));
  expect((word(15) * 65_536 + word(14)) / 10).toBe(held("press-02", "energy"));
  const seconds = (BigInt(word(19)) << 48n) | (BigInt(word(18)) << 32n) | (BigInt(word(17)) << 16n) | BigInt(word(16));
  expect(seconds).toBe(held("press-02", "runTime"));
  const holding = (await press.readHoldingRegisters(0, 13)).buffer;
  expect(holding.toString("latin1", 0, 8).replaceAll("\0", "")).toBe(held("press-02", "state"));
  expect(holding.toString("latin1", 8, 20).replaceAll("\0", "")).toBe("Redmond-01");
  expect((holding.readUInt16BE(24) & 1) === 1).toBe(held("press-02", "dieWorn"));
  expect((await press.readCoils(0, 1)).data[0]).toBe(held("press-02", "running"));
  const discrete = (await press.readDiscreteInputs(0, 4)).data;
  expect(discrete[0]).toBe(held("press-02", "guardClosed"));
  expect(discrete[3]).toBe(held("press-02", "overheated"));
});

test("the compressor has orders of its own: DCBA, swapped strings, a temperature below zero", async () => {
  await using compressor = await connectModbus(frozen.modbusPort, 100);
  const all = (await compressor.readHoldingRegisters(100, 19)).buffer;
  const at = (address: number): number => (address - 100) * 2;
  expect(Buffer.from(all.subarray(0, 8)).swap16().toString("latin1").replaceAll("\0", "")).toBe(
    held("compressor-01", "state"),
  );
  expect(all.readInt16BE(at(104)) / 100).toBe(held("compressor-01", "dischargePressure"));
  expect(all.readInt16BE(at(106)) / 10).toBe(held("compressor-01", "dewPoint"));
  expect(Number(held("compressor-01", "dewPoint"))).toBeLessThan(0);
  expect(all.readUInt16BE(at(107))).toBe(held("compressor-01", "motorSpeed"));
  expect(all.readFloatLE(at(108))).toBe(held("compressor-01", "motorCurrent")); // DCBA
  expect(all.readUInt32BE(at(114)) / 10).toBe(held("compressor-01", "energy"));
  expect((await compressor.readCoils(10, 1)).data[0]).toBe(held("compressor-01", "loaded"));
});

test("what is not there answers as a device does: exception 2 outside the map, 11 for an unknown unit, 3 for a long read, 1 for a write", async () => {
  await using press = await connectModbus(frozen.modbusPort, 1);
  await expect(press.readInputRegisters(0, 21)).rejects.toMatchObject({ modbusCode: 2 });
  await expect(press.readHoldingRegisters(200, 1)).rejects.toMatchObject({ modbusCode: 2 });
  await expect(press.readInputRegisters(0, 126)).rejects.toMatchObject({ modbusCode: 3 });
  await expect(press.writeRegister(0, 7)).rejects.toMatchObject({ modbusCode: 1 });
  await expect(press.writeCoil(0, true)).rejects.toMatchObject({ modbusCode: 1 });
  press.setID(77);
  await expect(press.readInputRegisters(0, 1)).rejects.toMatchObject({ modbusCode: 11 });
  press.setID(1);
  expect((await press.readInputRegisters(0, 2)).data).toHaveLength(2);
});

test("a lost sensor fails every read that covers it with exception 4, and only those", async () => {
  await using press = await connectModbus(frozen.modbusPort, 1);
  const fault = frozen.inject({ kind: "lost", machineId: "press-01", durationMs: 60_000 });
  expect(fault.signals).toEqual(["machinePressure"]);
  await expect(press.readInputRegisters(0, 6)).rejects.toMatchObject({ modbusCode: 4 });
  await expect(press.readInputRegisters(2, 1)).rejects.toMatchObject({ modbusCode: 4 });
  expect((await press.readInputRegisters(3, 3)).data).toHaveLength(3);
  frozen.end(fault.id);
  expect((await press.readInputRegisters(2, 1)).data[0]).toBe(Number(held("press-01", "machinePressure")) * 2);
});

test("spike, dip, shift and stuck reach a client", async () => {
  await using press = await connectModbus(frozen.modbusPort, 2);
  const read = async (): Promise<number> => ((await press.readInputRegisters(2, 1)).data[0] ?? 0) / 2;
  const normal = await read();
  const expected = { spike: normal * 1.8, dip: normal * 0.6, shift: normal + 100 } as const;
  for (const kind of ["spike", "dip", "shift"] as const) {
    const { id } = frozen.inject({ kind, machineId: "press-02", durationMs: 60_000 });
    expect(Math.abs((await read()) - expected[kind]), kind).toBeLessThan(25);
    frozen.end(id);
    expect(Math.abs((await read()) - normal), kind).toBeLessThan(25);
  }
  // A stuck sensor hides what another fault would show.
  const stuck = frozen.inject({ kind: "stuck", machineId: "press-02", durationMs: 60_000 });
  const frozenAt = await read();
  const hidden = frozen.inject({ kind: "spike", machineId: "press-02", durationMs: 60_000 });
  expect(await read()).toBe(frozenAt);
  frozen.end(stuck.id);
  expect(await read()).toBeGreaterThan(frozenAt * 1.5);
  frozen.end(hidden.id);
});

test("link down and server restart: sockets break, nobody listens, the same port answers again", async () => {
  const factory = createFactory({ seed: 32, tickMs: 50, mills: 0, lathes: 0, presses: 1, pkiPath: folder.path });
  await factory.start();
  try {
    const { modbusPort } = factory;
    for (const kind of ["link-down", "server-restart"] as const) {
      await using press = await connectModbus(modbusPort, 1);
      expect((await press.readInputRegisters(0, 2)).data).toHaveLength(2);
      factory.inject({ kind, machineId: "press-01", durationMs: 700 });
      await until("nobody listens", async () => !(await isListening(modbusPort)));
      await expect(press.readInputRegisters(0, 2)).rejects.toThrow();
      await until("the line is back", () => isListening(modbusPort));
      await using again = await connectModbus(modbusPort, 1);
      expect((await again.readInputRegisters(0, 2)).data).toHaveLength(2);
      await until("the fault has ended", () => factory.plant.faults.active.length === 0);
    }
  } finally {
    await factory.stop();
  }
});
