import type { DataType } from "../../kernel/config/model.ts";

export type MachineType = "cnc-mill" | "cnc-lathe" | "press" | "compressor";
export type SimulatedValue = number | bigint | boolean | string;

/** Where a signal of a Modbus machine lies. Orders are on purpose not the same everywhere: real shops are like that. */
export interface Register {
  readonly table: "coil" | "discrete" | "input" | "holding";
  /** Zero-based PDU address; for a string or a wide number the first of its registers. */
  readonly address: number;
  /** Letters name the bytes from the most significant in the order in which they arrive; strings know ABCD and BADC only. */
  readonly order?: "ABCD" | "CDAB" | "BADC" | "DCBA";
  /** value = raw × scale. */
  readonly scale?: number;
  /** Strings only. */
  readonly lengthBytes?: number;
  /** 0..15 from the least significant; makes a boolean of a register. */
  readonly bit?: number;
}

/** What a person or a driver must know of a signal, without the machine behind it. */
export interface SignalDescription {
  readonly name: string;
  readonly title: string;
  /** "" when it has none. */
  readonly unit: string;
  readonly type: DataType;
  readonly key?: true;
  /** Range of the instrument, in the unit; numbers only. A shift's magnitude is a share of it. */
  readonly low?: number;
  readonly high?: number;
  /** Steps of the sensor's display per unit: 100 for 0.01 °C. */
  readonly stepsPerUnit?: number;
  /** Standard deviation of the sensor's own noise, in the unit. */
  readonly noise?: number;
  /** The same as a share of the value: an encoder of a standing spindle shows 0, not almost 0. */
  readonly noiseShare?: number;
  /** How often the sensor measures; slow quantities are measured seldom. Default: in every step. */
  readonly everyMs?: number;
  /** Grows or jumps by itself: spikes, dips and shifts make no sense on it. */
  readonly isCounter?: true;
  /** OPC UA: the part of the node id after the machine, "Spindle.Speed". */
  readonly path?: string;
  readonly register?: Register;
}

export interface SignalSpec<Physics> extends SignalDescription {
  /** The true value, before noise, rounding and faults. */
  read(machine: Physics): SimulatedValue;
}
