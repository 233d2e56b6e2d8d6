import { EdgeError } from "../kernel/errors.ts";
import type { FaultRecord, FaultRequest, ScheduledFault, TruthLine } from "./fault.ts";
import { ModbusLine } from "./modbus-line.ts";
import { OpcuaLine } from "./opcua-line.ts";
import { Plant } from "./plant.ts";
import { LINE_NAMESPACE_URI, type PlantSize } from "./plant-layout.ts";
import { TruthFile } from "./truth-file.ts";

/** `stop` takes no longer than this. */
export const FACTORY_STOP_MS_MAX = 3_000;

/** A failed attempt to come back after a cut line is repeated this often, this many ms apart. */
const COME_BACK_ATTEMPTS_MAX = 20;
const COME_BACK_PAUSE_MS = 250;

export interface FactoryOptions extends PlantSize {
  readonly seed: number;
  readonly site?: string;
  /** 0 or left out: a free port. */
  readonly opcuaPort?: number;
  readonly modbusPort?: number;
  /** How much faster than the clock the physics runs; faults keep to the clock. */
  readonly timeScale?: number;
  readonly tickMs?: number;
  /** JSON lines with the truth about every fault; none is written when left out. */
  readonly truthPath?: string;
  /** Folder of the OPC UA server's key and certificates; a temporary one when left out. */
  readonly pkiPath?: string;
  readonly schedule?: readonly ScheduledFault[];
  /** Told of a line that could not come back; the factory itself goes on. */
  readonly onError?: (error: unknown) => void;
}

export interface Factory {
  /** @throws EdgeError PORT_IN_USE */
  start(): Promise<void>;
  /** Ends all faults, closes all sockets; at most FACTORY_STOP_MS_MAX. Idempotent. */
  stop(): Promise<void>;
  /** @throws EdgeError USAGE: no such machine or signal, a fault it can't have, too many faults */
  inject(fault: FaultRequest): FaultRecord;
  /** Ends a fault before its time. */
  end(faultId: number): void;
  /** Known after `start`. */
  readonly opcuaEndpointUrl: string;
  readonly opcuaPort: number;
  readonly modbusPort: number;
  readonly plant: Plant;
  readonly size: PlantSize;
  readonly site: string;
}

/**
 * A factory on loopback: five mills, three lathes, four presses and a compressor, unless the options say otherwise.
 * @throws EdgeError USAGE on options out of range and on scheduled faults that can't be
 */
export function createFactory(options: FactoryOptions): Factory {
  return new RunningFactory(options);
}

class RunningFactory implements Factory {
  readonly plant: Plant;
  readonly size: PlantSize;
  readonly #options: FactoryOptions;
  readonly #opcua: OpcuaLine;
  readonly #modbus: ModbusLine;
  readonly #tickMs: number;
  readonly #timeScale: number;
  #timer: NodeJS.Timeout | null = null;
  #schedule: ScheduledFault[];
  #startedMs = 0;
  #lastTickMs = 0;
  #isStopped = false;
  /** Cuts and returns of the lines, one after another. */
  #lineWork: Promise<void> = Promise.resolve();

  constructor(options: FactoryOptions) {
    this.#options = options;
    this.size = options;
    this.#tickMs = positive("tickMs", options.tickMs ?? 250);
    this.#timeScale = positive("timeScale", options.timeScale ?? 1);
    this.plant = new Plant({ ...options, startMs: Date.now() });
    const truth = options.truthPath === undefined ? null : new TruthFile(options.truthPath);
    this.plant.faults.onTruth = (line) => {
      truth?.write(line);
      this.#moveLine(line);
    };
    const machines = this.plant.machines;
    this.#opcua = new OpcuaLine({
      port: options.opcuaPort ?? 0,
      pkiPath: options.pkiPath,
      machines: machines.filter(({ unitId }) => unitId === null),
      namespaceUri: LINE_NAMESPACE_URI,
    });
    this.#modbus = new ModbusLine({
      port: options.modbusPort ?? 0,
      machines: machines.filter(({ unitId }) => unitId !== null),
    });
    for (const fault of options.schedule ?? []) this.plant.faults.check(fault);
    this.#schedule = [...(options.schedule ?? [])].sort((a, b) => a.afterMs - b.afterMs);
  }

  get site(): string {
    return this.plant.site;
  }

  get opcuaEndpointUrl(): string {
    return this.#opcua.endpointUrl;
  }

  get opcuaPort(): number {
    return this.#opcua.port;
  }

  get modbusPort(): number {
    return this.#modbus.port;
  }

  async start(): Promise<void> {
    try {
      await this.#modbus.start();
      await this.#opcua.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#startedMs = performance.now();
    this.#lastTickMs = this.#startedMs;
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#schedule = [];
    this.plant.faults.endAll(Date.now());
    this.#isStopped = true;
    const closed = this.#lineWork.then(() => Promise.all([this.#opcua.stop(), this.#modbus.stop()]));
    let deadline: NodeJS.Timeout | undefined;
    await Promise.race([
      closed,
      new Promise<void>((resolve) => {
        deadline = setTimeout(resolve, FACTORY_STOP_MS_MAX - 200);
      }),
    ]);
    clearTimeout(deadline);
  }

  inject(fault: FaultRequest): FaultRecord {
    const record = this.plant.faults.inject(fault, Date.now());
    this.#publish();
    return record;
  }

  end(faultId: number): void {
    this.plant.faults.end(faultId, Date.now());
    this.#publish();
  }

  #tick(): void {
    const monotonicMs = performance.now();
    const dtMs = (monotonicMs - this.#lastTickMs) * this.#timeScale;
    this.#lastTickMs = monotonicMs;
    while (this.#schedule[0] !== undefined && this.#schedule[0].afterMs <= monotonicMs - this.#startedMs) {
      const { afterMs: _, ...fault } = this.#schedule.shift() as ScheduledFault;
      try {
        this.plant.faults.inject(fault, Date.now());
      } catch (error) {
        this.#options.onError?.(error);
      }
    }
    this.plant.step(dtMs, Date.now());
    this.#publish();
  }

  #publish(): void {
    this.#opcua.publish();
    this.#modbus.publish();
  }

  #moveLine({ at, fault, machineId }: TruthLine): void {
    if (fault !== "link-down" && fault !== "server-restart") return;
    const isModbus = this.plant.machine(machineId).unitId !== null;
    const isRestart = fault === "server-restart";
    const leave = async (): Promise<void> => {
      if (isModbus) await this.#modbus.stop();
      else if (isRestart) await this.#opcua.shutDown();
      else await this.#opcua.cut();
    };
    const comeBack = async (): Promise<void> => {
      if (isModbus) await this.#modbus.start();
      else if (isRestart) await this.#opcua.start();
      else await this.#opcua.reconnect();
    };
    this.#lineWork = this.#lineWork
      .then(() => (at === "start" ? leave() : this.#repeat(comeBack)))
      .catch((error) => {
        this.#options.onError?.(error);
      });
  }

  /** Another process may have taken the port meanwhile, for a moment or for good. */
  async #repeat(comeBack: () => Promise<void>): Promise<void> {
    for (let attempt = 1; !this.#isStopped; attempt++) {
      try {
        await comeBack();
        return;
      } catch (error) {
        if (attempt >= COME_BACK_ATTEMPTS_MAX) throw error;
        await new Promise((resolve) => setTimeout(resolve, COME_BACK_PAUSE_MS));
      }
    }
  }
}

function positive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new EdgeError("USAGE", `${name} is ${value}, expected a number above 0.`);
}
