import { expect, test } from "vitest";
import { until, watch } from "../../../test/contract/watch.ts";
import {
  cellValue,
  modbusConnection,
  modbusDriver,
  modbusMachine,
  modbusSignal,
} from "../../../test/support/modbus-fixtures.ts";
import { type RawRequest, startModbusServer } from "../../../test/support/modbus-server.ts";
import { startSerialLine } from "../../../test/support/serial-line.ts";
import type { ModbusMachine, ModbusTransport } from "../../kernel/config/model.ts";
import { StatusCode, severityOf } from "../../kernel/status-code.ts";

const MACHINES: readonly ModbusMachine[] = [
  modbusMachine(5, [modbusSignal("speed", 10), modbusSignal("total", 40, { type: "uint32" })]),
  modbusMachine(9, [modbusSignal("load", 20)]),
];

function transportOf(device: string): ModbusTransport {
  return { kind: "rtu", device, baudRate: 19_200, dataBits: 8, parity: "none", stopBits: 1 };
}

function right(request: RawRequest): void {
  const { unitId, address, count } = request;
  request.send(request.data(Array.from({ length: count }, (_, i) => cellValue(unitId, address + i))));
}

test("serial RTU: two units on one line of a real serial device", async () => {
  await using server = await startModbusServer("rtu-over-tcp", right);
  await using line = await startSerialLine(server.port);
  await using driver = modbusDriver(modbusConnection(0, { transport: transportOf(line.device), machines: MACHINES }));
  await using seen = watch(driver);
  await until(() => ["speed", "total", "load"].every((name) => seen.of(name).length > 2), 5_000, "three samples each");
  expect(seen.latest("speed")).toMatchObject({ value: cellValue(5, 10), statusCode: StatusCode.Good });
  expect(seen.latest("total")?.value).toBe(cellValue(5, 40) * 65_536 + cellValue(5, 41));
  expect(seen.latest("load")).toMatchObject({ machineId: "redmond/press-9", value: cellValue(9, 20) });
});

test("P22 serial RTU: a unit that says nothing is Bad, the other on the same line stays Good", async () => {
  await using server = await startModbusServer("rtu-over-tcp", (request) => {
    if (request.unitId !== 5) right(request);
  });
  await using line = await startSerialLine(server.port);
  await using driver = modbusDriver(
    modbusConnection(0, { transport: transportOf(line.device), machines: MACHINES, timeoutMs: 100, retries: 0 }),
  );
  await using seen = watch(driver);
  await until(() => seen.latest("speed")?.statusCode === StatusCode.BadTimeout, 5_000, "BadTimeout");
  const before = seen.of("load").length;
  await until(() => seen.of("load").length > before + 5, 5_000, "samples of the other unit");
  expect(seen.of("load").filter(({ statusCode }) => statusCode !== StatusCode.Good)).toEqual([]);
});

test("serial RTU: a pulled adapter is told in samples or as a lost link, and the driver ends in time", async () => {
  await using server = await startModbusServer("rtu-over-tcp", right);
  await using line = await startSerialLine(server.port);
  await using driver = modbusDriver(
    modbusConnection(0, { transport: transportOf(line.device), machines: MACHINES, timeoutMs: 100, retries: 0 }),
  );
  await using seen = watch(driver);
  await until(() => seen.of("speed").length > 2, 5_000, "samples");
  line.pull();
  await until(
    () => seen.faults.length > 0 || severityOf(seen.latest("speed")?.statusCode ?? 0) === "bad",
    5_000,
    "the loss is told",
  );
});
