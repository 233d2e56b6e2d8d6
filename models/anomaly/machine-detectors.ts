import { severityOf } from "../../edge/kernel/status-code.ts";
import { Changepoint } from "./changepoint.ts";
import type { DetectorModels } from "./detector-manifest.ts";
import { SpikeDip } from "./spike-dip.ts";

/** Signals of a machine at most; readings of further ones are not scored. */
export const SIGNALS_MAX = 20_000;
const FORMAT = 1;

/** What a detector found at one reading. */
export interface Finding {
  readonly kind: "spike" | "dip" | "changepoint";
  readonly signal: string;
  /** The reading; of a changepoint the new level. */
  readonly value: number;
  readonly score: number;
  readonly threshold: number;
  readonly low: number;
  readonly high: number;
  /** Of a changepoint the level before. */
  readonly before: number | null;
}

/**
 * The detectors of one machine's signals, with their state: flat arrays, a run per signal. One reading at a time, no look-ahead: the same
 * readings in the same order give the same findings, also when the state was saved and restored in between.
 */
export class MachineDetectors {
  readonly #models: DetectorModels;
  readonly #spikes: SpikeDip;
  readonly #changes: Changepoint;
  readonly #slots = new Map<string, number>();
  #room = 0;

  constructor(models: DetectorModels) {
    this.#models = models;
    this.#spikes = new SpikeDip(models.spikeDip.parameters);
    this.#changes = new Changepoint(models.changepoint.parameters);
  }

  /** The number of a signal, for `observe`; undefined when the machine has too many. */
  slotOf(signal: string): number | undefined {
    const known = this.#slots.get(signal);
    if (known !== undefined) return known;
    if (this.#slots.size >= SIGNALS_MAX) return undefined;
    const slot = this.#slots.size;
    this.#slots.set(signal, slot);
    if (slot >= this.#room) this.#resize(Math.max(4, this.#room * 2));
    return slot;
  }

  /** Readings that are Bad or no finite numbers teach nothing and say nothing; those of a signal come in their order. */
  observe(slot: number, signal: string, timeMs: number, value: number, statusCode: number): readonly Finding[] {
    if (!Number.isFinite(value) || severityOf(statusCode) === "bad") return NOTHING;
    const spikes = this.#spikes;
    const judgement = spikes.judge(slot, timeMs, value);
    if (judgement === "unjudged") {
      this.#changes.step(slot, value, 0);
      return NOTHING;
    }
    const spike = spikes.isNew ? this.#spike(signal, value) : undefined;
    const held = judgement === "outside" ? Math.min(spikes.high, Math.max(spikes.low, value)) : value;
    const isChange = this.#changes.step(slot, held, spikes.deviation);
    if (spike === undefined && !isChange) return NOTHING;
    return [...(spike === undefined ? [] : [spike]), ...(isChange ? [this.#change(signal)] : [])];
  }

  #spike(signal: string, value: number): Finding {
    const { score, low, high } = this.#spikes;
    const kind = value > high ? "spike" : "dip";
    return {
      kind,
      signal,
      value,
      score,
      threshold: this.#models.spikeDip.parameters.threshold,
      low,
      high,
      before: null,
    };
  }

  #change(signal: string): Finding {
    const { score, level, before, low, high } = this.#changes;
    const { threshold } = this.#models.changepoint.parameters;
    return { kind: "changepoint", signal, value: level, score, threshold, low, high, before };
  }

  /** The whole state, for a checkpoint: restoring it goes on where this stands. */
  save(): Uint8Array {
    const names = Buffer.from(JSON.stringify([this.#versions(), [...this.#slots.keys()]]));
    const each = this.#each();
    const arrays = this.#arrays().map((array, i) => {
      const used = array.subarray(0, (each[i] as number) * this.#slots.size);
      return Buffer.from(used.buffer, used.byteOffset, used.byteLength);
    });
    const head = Buffer.alloc(8);
    head.writeUInt32LE(FORMAT, 0);
    head.writeUInt32LE(names.length, 4);
    return Buffer.concat([head, names, ...arrays]);
  }

  /**
   * Takes up a saved state. One of other versions of the models, or a damaged one, is not taken up: the detectors begin anew.
   * @returns whether it was taken up
   */
  restore(bytes: Uint8Array): boolean {
    const saved = savedOf(bytes);
    if (saved === undefined || saved.versions !== this.#versions()) return false;
    const { signals } = saved;
    const each = this.#each();
    const room = saved.data.length / (8 * each.reduce((sum, count) => sum + count, 0));
    if (!Number.isInteger(room) || room < signals.length) return false;
    this.#slots.clear();
    signals.forEach((signal, slot) => {
      this.#slots.set(signal, slot);
    });
    let at = 0;
    const [spikes, history, changes, readings] = each.map((count) => {
      const part = saved.data.slice(at, at + 8 * count * room);
      at += part.length;
      return new Float64Array(part.buffer);
    }) as [Float64Array, Float64Array, Float64Array, Float64Array];
    this.#spikes.restore(spikes);
    this.#spikes.history.restore(room, history, readings);
    this.#changes.restore(changes);
    this.#room = room;
    return true;
  }

  #resize(room: number): void {
    this.#room = room;
    this.#spikes.resize(room);
    this.#changes.resize(room);
  }

  #arrays(): readonly Float64Array[] {
    const { scalars, readings } = this.#spikes.history.arrays();
    return [this.#spikes.scalars, scalars, this.#changes.scalars, readings];
  }

  /** Numbers of each array per signal, in the order of #arrays. */
  #each(): readonly number[] {
    const { history } = this.#spikes;
    return [this.#spikes.scalarsEach, history.scalarsEach, this.#changes.scalarsEach, history.readingsEach];
  }

  #versions(): string {
    return `${this.#models.spikeDip.version} ${this.#models.changepoint.version}`;
  }
}

const NOTHING: readonly Finding[] = [];

function savedOf(bytes: Uint8Array): { versions: string; signals: string[]; data: Uint8Array } | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 8 + view.getUint32(4, true);
  if (view.getUint32(0, true) !== FORMAT || end > bytes.length) return undefined;
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes.subarray(8, end)).toString("utf8"));
    if (!Array.isArray(json)) return undefined;
    const [versions, signals] = json as unknown[];
    if (typeof versions !== "string" || !Array.isArray(signals)) return undefined;
    return { versions, signals: signals.map(String), data: Uint8Array.from(bytes.subarray(end)) };
  } catch {
    return undefined;
  }
}
