import { pino } from "pino";
import { ModbusDriver, type ModbusDriverDeps } from "../../edge/drivers/modbus/modbus-driver.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import type { ModbusConnection, ModbusMachine, ModbusSignal, ModbusTransport } from "../../edge/kernel/config/model.ts";

/** Configuration as the loader would make it, for tests: a holding register of type uint16 unless said otherwise. */
export function modbusSignal(name: string, address: number, other: Partial<ModbusSignal> = {}): ModbusSignal {
  return {
    name,
    address,
    unit: "",
    title: name,
    key: false,
    table: "holding",
    type: "uint16",
    bit: null,
    lengthBytes: null,
    byteOrder: "big",
    wordOrder: "big",
    scale: 1,
    offset: 0,
    pollIntervalMs: 50,
    ...other,
  };
}

export function modbusMachine(unitId: number, signals: readonly ModbusSignal[]): ModbusMachine {
  return {
    machineId: `redmond/press-${unitId}`,
    typeName: "press",
    unitId,
    registersPerReadMax: 125,
    gapRegistersMax: 8,
    signals,
  };
}

export function modbusConnection(port: number, other: Partial<ModbusConnection> = {}): ModbusConnection {
  return {
    protocol: "modbus",
    id: "press-line",
    transport: { kind: "tcp", host: "127.0.0.1", port },
    timeoutMs: 200,
    retries: 1,
    pauseMs: 0,
    breakerFailures: 3,
    breakerOpenMs: 300,
    machines: [],
    ...other,
  };
}

export function modbusDriver(connection: ModbusConnection, deps: Partial<ModbusDriverDeps> = {}): ModbusDriver {
  return new ModbusDriver(connection, { clock: systemClock, logger: pino({ level: "silent" }), ...deps });
}

export const FRAMINGS = ["tcp", "rtu-over-tcp"] as const;

export function framingOf(kind: (typeof FRAMINGS)[number], port: number): ModbusTransport {
  return { kind, host: "127.0.0.1", port };
}

/** Different for every unit and address, so that a mix-up shows. */
export function cellValue(unitId: number, address: number): number {
  return (unitId * 1_009 + address * 7) & 0xffff;
}
