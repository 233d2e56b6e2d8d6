import type { PlantMachine } from "./plant-machine.ts";
import type { PlantSignal } from "./plant-signal.ts";
import type { Register, SimulatedValue } from "./signals/signal.ts";

/** Modbus exception codes (Application Protocol V1.1b3, chapter 7). */
export const ModbusException = { illegalFunction: 1, illegalAddress: 2, illegalValue: 3, deviceFailure: 4 } as const;

/** What the server library turns into an exception answer. */
export class ModbusFault extends Error {
  readonly modbusErrorCode: number;
  constructor(modbusErrorCode: number) {
    super(`Modbus exception ${modbusErrorCode}`);
    this.modbusErrorCode = modbusErrorCode;
  }
}

interface Cells {
  readonly values: Uint16Array;
  /** 1 where a lost sensor makes the read fail. */
  readonly lost: Uint8Array;
  /** Below it the device has nothing. */
  readonly first: number;
}

const REGISTERS_BY_TYPE: Readonly<Record<string, number>> = {
  boolean: 1,
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
};

/** The four tables of one unit. Unused addresses between two signals read 0, those outside answer "illegal data address". */
export class RegisterImage {
  readonly #cellsByTable = new Map<Register["table"], Cells>();
  readonly #entries: { readonly signal: PlantSignal; readonly register: Register; version: number }[] = [];

  constructor(machine: PlantMachine) {
    const extents = new Map<Register["table"], { first: number; end: number }>();
    for (const signal of machine.signals) {
      const { register, type } = signal.description;
      if (register === undefined) continue;
      const size =
        register.lengthBytes === undefined ? (REGISTERS_BY_TYPE[type] ?? 1) : Math.ceil(register.lengthBytes / 2);
      const extent = extents.get(register.table) ?? { first: register.address, end: 0 };
      extent.first = Math.min(extent.first, register.address);
      extent.end = Math.max(extent.end, register.address + size);
      extents.set(register.table, extent);
      this.#entries.push({ signal, register, version: -1 });
    }
    for (const [table, { first, end }] of extents) {
      this.#cellsByTable.set(table, { values: new Uint16Array(end), lost: new Uint8Array(end), first });
    }
    this.publish();
  }

  /** Takes over what has changed. Single-threaded, so a read of several registers never sees half of a value. */
  publish(): void {
    for (const entry of this.#entries) {
      if (entry.version === entry.signal.version) continue;
      entry.version = entry.signal.version;
      this.#write(entry.signal, entry.register);
    }
  }

  /** @throws ModbusFault illegalAddress outside of the table, deviceFailure when a lost sensor lies in the range */
  read(table: Register["table"], address: number, length: number): number[] {
    const cells = this.#cellsByTable.get(table);
    if (cells === undefined || address < cells.first || address + length > cells.values.length) {
      throw new ModbusFault(ModbusException.illegalAddress);
    }
    if (cells.lost.subarray(address, address + length).includes(1))
      throw new ModbusFault(ModbusException.deviceFailure);
    return Array.from(cells.values.subarray(address, address + length));
  }

  #write(signal: PlantSignal, register: Register): void {
    const cells = this.#cellsByTable.get(register.table);
    if (cells === undefined) return;
    const { address, bit } = register;
    const isLost = signal.statusCode === 0 ? 0 : 1;
    if (bit !== undefined) {
      const mask = 1 << bit;
      const kept = (cells.values[address] ?? 0) & ~mask;
      cells.values[address] = signal.value === true ? kept | mask : kept;
      cells.lost[address] = isLost;
      return;
    }
    const words = encodeRegisters(signal.value, signal.description.type, register);
    cells.values.set(words, address);
    cells.lost.fill(isLost, address, address + words.length);
  }
}

/** The registers of a value, in the device's order of bytes and words. */
export function encodeRegisters(value: SimulatedValue, type: string, register: Register): number[] {
  if (typeof value === "boolean") return [value ? 1 : 0];
  const { order = "ABCD", scale = 1, lengthBytes = 0 } = register;
  const bytes =
    typeof value === "string"
      ? stringBytes(value, lengthBytes)
      : numberBytes(value, type, scale, REGISTERS_BY_TYPE[type] ?? 1);
  const words: number[] = [];
  const swapsBytes = order === "BADC" || order === "DCBA";
  for (let offset = 0; offset < bytes.length; offset += 2) {
    words.push(swapsBytes ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset));
  }
  const swapsWords = typeof value !== "string" && (order === "CDAB" || order === "DCBA");
  return swapsWords ? words.reverse() : words;
}

function stringBytes(text: string, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes + (lengthBytes % 2));
  bytes.write(text.slice(0, lengthBytes), "latin1");
  return bytes;
}

function numberBytes(value: number | bigint, type: string, scale: number, registers: number): Buffer {
  const bytes = Buffer.alloc(registers * 2);
  if (type === "float32") bytes.writeFloatBE(Number(value));
  else if (type === "float64") bytes.writeDoubleBE(Number(value));
  else {
    const raw = typeof value === "bigint" ? value : BigInt(Math.round(value / scale));
    const bits = BigInt.asUintN(registers * 16, raw);
    for (let word = 0; word < registers; word++) {
      bytes.writeUInt16BE(Number((bits >> BigInt(16 * (registers - 1 - word))) & 0xffffn), word * 2);
    }
  }
  return bytes;
}
