import { once } from "node:events";
import { type IServiceVector, ServerTCP } from "modbus-serial";
import { freePort } from "../kernel/free-port.ts";
import { portError } from "./opcua-host.ts";
import type { PlantMachine } from "./plant-machine.ts";
import { ModbusException, ModbusFault, RegisterImage } from "./register-image.ts";
import type { Register } from "./signals/signal.ts";

/** Longest read of the standard: 125 registers (Modbus Application Protocol V1.1b3, 6.3). */
const REGISTERS_PER_READ_MAX = 125;

/** The Modbus TCP gateway of the presses and the compressor: one socket server, one unit id a machine. */
export class ModbusLine {
  port: number;
  readonly #imageByUnit: ReadonlyMap<number, RegisterImage>;
  #server: ServerTCP | null = null;

  constructor(options: { readonly port: number; readonly machines: readonly PlantMachine[] }) {
    this.port = options.port;
    this.#imageByUnit = new Map(
      options.machines.flatMap((machine) =>
        machine.unitId === null ? [] : [[machine.unitId, new RegisterImage(machine)] as const],
      ),
    );
  }

  /** @throws EdgeError PORT_IN_USE */
  async start(): Promise<void> {
    if (this.#server !== null) return;
    // The Modbus library takes port 0 as 502.
    if (this.port === 0) this.port = await freePort();
    this.publish();
    const server = new ServerTCP(this.#vector(), { host: "127.0.0.1", port: this.port });
    server.on("socketError", () => undefined); // a client that resets its connection is no concern of the others
    const abort = new AbortController();
    try {
      await Promise.race([
        once(server, "initialized", { signal: abort.signal }),
        once(server, "serverError", { signal: abort.signal }).then(([error]) => Promise.reject(error)),
      ]);
    } catch (error) {
      throw portError(this.port, error);
    } finally {
      abort.abort();
    }
    server.on("serverError", () => undefined);
    this.#server = server;
  }

  publish(): void {
    for (const image of this.#imageByUnit.values()) image.publish();
  }

  /** Connections break and nobody listens, until `start`. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #vector(): IServiceVector {
    const one = (table: Register["table"]) => (address: number, unitId: number) =>
      this.#read(table, address, 1, unitId)[0] ?? 0;
    const bit = (table: Register["table"]) => {
      const read = one(table);
      return (address: number, unitId: number) => read(address, unitId) === 1;
    };
    const many = (table: Register["table"]) => (address: number, length: number, unitId: number) =>
      this.#read(table, address, length, unitId);
    const refuse = (): never => {
      throw new ModbusFault(ModbusException.illegalFunction);
    };
    return {
      getCoil: bit("coil"),
      getDiscreteInput: bit("discrete"),
      getInputRegister: one("input"),
      getHoldingRegister: one("holding"),
      getMultipleInputRegisters: many("input"),
      getMultipleHoldingRegisters: many("holding"),
      setCoil: refuse,
      setRegister: refuse,
    };
  }

  #read(table: Register["table"], address: number, length: number, unitId: number): number[] {
    if (length > REGISTERS_PER_READ_MAX) throw new ModbusFault(ModbusException.illegalValue);
    const image = this.#imageByUnit.get(unitId);
    // Gateway Target Device Failed To Respond: what a TCP gateway says of a unit that is not there.
    if (image === undefined) throw new ModbusFault(0x0b);
    return image.read(table, address, length);
  }
}
