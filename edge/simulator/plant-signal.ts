import { StatusCode } from "../kernel/status-code.ts";
import type { Random } from "./physics/random.ts";
import type { SignalDescription, SimulatedValue } from "./signals/signal.ts";

/** What a fault does to one signal while it lasts. */
export type Distortion =
  | { readonly kind: "factor"; readonly factor: number }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "stuck" }
  | { readonly kind: "lost" };

const RANGE_BY_TYPE: Readonly<Record<string, readonly [number, number]>> = {
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-2_147_483_648, 2_147_483_647],
  uint32: [0, 4_294_967_295],
};

/** One sensor: measures the true value from time to time, adds noise, rounds, and lies when a fault makes it. */
export class PlantSignal {
  readonly machineId: string;
  readonly description: SignalDescription;
  value: SimulatedValue;
  statusCode: number = StatusCode.Good;
  /** When value or status last changed; UTC epoch ms. */
  changedMs: number;
  /** Grows with every change, so that a server sees cheaply what is new. */
  version = 0;
  readonly distortions = new Map<number, Distortion>();
  readonly #read: () => SimulatedValue;
  readonly #random: Random;
  #sinceMeasuredMs = 0;

  constructor(
    machineId: string,
    description: SignalDescription,
    read: () => SimulatedValue,
    random: Random,
    nowMs: number,
  ) {
    this.machineId = machineId;
    this.description = description;
    this.#read = read;
    this.#random = random;
    // Sensors do not all measure in the same instant.
    this.#sinceMeasuredMs = random.next() * (description.everyMs ?? 0);
    this.value = this.#measure();
    this.changedMs = nowMs;
  }

  step(dtMs: number, nowMs: number): void {
    this.#sinceMeasuredMs += dtMs;
    const everyMs = this.description.everyMs ?? 0;
    if (this.#sinceMeasuredMs < everyMs && this.distortions.size === 0) return;
    this.#sinceMeasuredMs = everyMs === 0 ? 0 : this.#sinceMeasuredMs % everyMs;
    this.refresh(nowMs);
  }

  /** Measures now, whatever the sensor's own pace: a fault begins or ends at once. */
  refresh(nowMs: number): void {
    const kinds = [...this.distortions.values()].map(({ kind }) => kind);
    const statusCode = kinds.includes("lost") ? StatusCode.BadSensorFailure : StatusCode.Good;
    const value = kinds.includes("stuck") || kinds.includes("lost") ? this.value : this.#measure();
    if (value === this.value && statusCode === this.statusCode) return;
    this.value = value;
    this.statusCode = statusCode;
    this.changedMs = nowMs;
    this.version++;
  }

  get span(): number {
    return (this.description.high ?? 0) - (this.description.low ?? 0);
  }

  /** Spikes, dips and shifts need a number that measures something. */
  get isAnalog(): boolean {
    return typeof this.value === "number" && this.description.isCounter !== true;
  }

  #measure(): SimulatedValue {
    const raw = this.#read();
    if (typeof raw !== "number") return raw;
    const { noise = 0, noiseShare = 0, type } = this.description;
    const noiseSd = noise + noiseShare * Math.abs(raw);
    let value = noiseSd === 0 ? raw : raw + noiseSd * this.#random.normal();
    for (const distortion of this.distortions.values()) {
      // A factor acts on at least a tenth of the range: a spike on a standing spindle must be seen, too.
      if (distortion.kind === "factor") value += (distortion.factor - 1) * Math.max(Math.abs(value), this.span / 10);
      if (distortion.kind === "offset") value += distortion.offset;
    }
    const { low } = this.description;
    if (low === 0 && value < 0) value = 0;
    return this.#represent(value, type);
  }

  /** The number as the device holds it: rounded to its step, within its type. */
  #represent(value: number, type: string): number {
    const steps = this.description.stepsPerUnit ?? 1000;
    const scale = this.description.register?.scale ?? 1;
    const range = RANGE_BY_TYPE[type];
    const clamped = range === undefined ? value : Math.min(range[1] * scale, Math.max(range[0] * scale, value));
    const rounded = Math.round(clamped * steps) / steps;
    const held = type === "float32" ? Math.fround(rounded) : rounded;
    return held === 0 ? 0 : held; // no minus zero
  }
}
