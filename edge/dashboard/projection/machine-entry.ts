import type { GapData, SignalInfo, TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import { severityOf } from "../../kernel/status-code.ts";
import { type JsonSampleValue, jsonValueOf } from "../json-value.ts";

/** Signals that one machine may show; more come from no configuration we know of. */
const SIGNALS_MAX = 20_000;
const KEYS_MAX = 6;
const KEYS_WITHOUT_CONFIG = 4;
export const STATE_WORDS: readonly string[] = ["running", "idle", "setup", "fault", "offline"];

/** The newest sample of a signal, and its newest usable value, which stays readable while the signal is Bad. */
export interface LatestSample {
  readonly signal: string;
  readonly value: JsonSampleValue;
  readonly statusCode: number;
  readonly receivedMs: number;
  readonly sourceMs: number | null;
  readonly serverMs: number | null;
  readonly goodValue: JsonSampleValue;
  readonly goodMs: number | null;
  readonly offset: number;
}

/** All that the dashboard knows of one machine. */
export class MachineEntry {
  readonly machineId: string;
  typeName = "";
  connectionId = "";
  signals: readonly SignalInfo[] = [];
  configOffset = 0;
  readonly latest = new Map<string, LatestSample>();
  stateOffset = 0;
  gapOffset = 0;
  /** What was lost of this machine most recently. */
  lastGap: GapData | undefined;
  stateEvent: { readonly word: string; readonly sinceMs: number } | undefined;
  updatedMs: number | null = null;
  #byName = new Map<string, SignalInfo>();
  #keys: readonly string[] = [];

  constructor(machineId: string) {
    this.machineId = machineId;
  }

  configure(typeName: string, connectionId: string, signals: readonly SignalInfo[], offset: number): void {
    if (offset < this.configOffset) return;
    this.configOffset = offset;
    this.typeName = typeName;
    this.connectionId = connectionId;
    this.signals = signals.slice(0, SIGNALS_MAX);
    this.#byName = new Map(this.signals.map((signal) => [signal.name, signal]));
    for (const name of this.latest.keys()) if (!this.#byName.has(name)) this.latest.delete(name);
    this.#chooseKeys();
  }

  /** Takes a sample of the event at `offset`; returns what is new, or undefined when a newer one is known. */
  take(sample: TelemetrySample, offset: number): LatestSample | undefined {
    const known = this.latest.get(sample.signal);
    const usable = severityOf(sample.statusCode) !== "bad" && sample.value !== null;
    const value = jsonValueOf(sample.value);
    if (known && known.offset > offset) {
      // Read later but written earlier, while the past is searched: only a usable value that was missing is of interest.
      if (!usable || (known.goodMs !== null && known.goodMs >= sample.receivedTimestampMs)) return undefined;
      const completed = { ...known, goodValue: value, goodMs: sample.receivedTimestampMs };
      this.latest.set(sample.signal, completed);
      return completed;
    }
    if (!known && !this.#admit(sample.signal)) return undefined;
    const latest: LatestSample = {
      signal: sample.signal,
      value,
      statusCode: sample.statusCode,
      receivedMs: sample.receivedTimestampMs,
      sourceMs: sample.sourceTimestampMs,
      serverMs: sample.serverTimestampMs,
      goodValue: usable ? value : (known?.goodValue ?? null),
      goodMs: usable ? sample.receivedTimestampMs : (known?.goodMs ?? null),
      offset,
    };
    this.latest.set(sample.signal, latest);
    if (usable && (this.updatedMs === null || sample.receivedTimestampMs > this.updatedMs)) {
      this.updatedMs = sample.receivedTimestampMs;
    }
    return latest;
  }

  /** A signal of an older configuration is no longer shown; without any configuration all are. */
  #admit(signal: string): boolean {
    if (this.#byName.has(signal)) return true;
    if (this.configOffset > 0 || this.signals.length >= SIGNALS_MAX) return false;
    const info: SignalInfo = { name: signal, title: signal, unit: "", key: false, type: null, intervalMs: 1_000 };
    this.signals = [...this.signals, info];
    this.#byName.set(signal, info);
    this.#chooseKeys();
    return true;
  }

  info(signal: string): SignalInfo | undefined {
    return this.#byName.get(signal);
  }

  /** Names of the signals on the machine's tile: those marked as key, or the first few when none is. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  #chooseKeys(): void {
    const marked = this.signals.filter(({ key }) => key).map(({ name }) => name);
    this.#keys =
      marked.length > 0
        ? marked.slice(0, KEYS_MAX)
        : this.signals.slice(0, KEYS_WITHOUT_CONFIG).map(({ name }) => name);
  }

  /** How many signals are in each quality; `waiting` have had no sample yet. */
  counts(): { good: number; uncertain: number; bad: number; waiting: number } {
    const counts = { good: 0, uncertain: 0, bad: 0, waiting: 0 };
    for (const { statusCode } of this.latest.values()) counts[severityOf(statusCode)] += 1;
    counts.waiting = Math.max(0, this.signals.length - this.latest.size);
    return counts;
  }

  /** The machine's own word for what it does: its newest state event, else a signal named "state" that uses our words. */
  state(): { readonly word: string; readonly sinceMs: number | null } | null {
    if (this.stateEvent) return this.stateEvent;
    for (const { name } of this.signals) {
      if (!/^(machine)?state$/i.test(name)) continue;
      const word = String(this.latest.get(name)?.goodValue ?? "").toLowerCase();
      if (STATE_WORDS.includes(word)) return { word, sinceMs: null };
    }
    return null;
  }
}
