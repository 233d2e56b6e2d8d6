import type { Logger } from "pino";
import type { Sample } from "../../../cloud-sync/contract/sample.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { ModbusMachine } from "../../kernel/config/model.ts";
import { StatusCode, statusName } from "../../kernel/status-code.ts";
import { PROBLEMS_MAX, type SignalProblem } from "../driver.ts";
import { decodeCells } from "./decode.ts";
import { type CellRange, type PlannedItem, planReads } from "./plan.ts";
import type { Quarantine } from "./quarantine.ts";
import { advance, itemKey, pickNext, type ScheduledRead } from "./schedule.ts";
import type { FailureMeaning } from "./status-map.ts";
import type { ItemResult, UnitReader } from "./unit-reader.ts";

const UNREADABLE: FailureMeaning = {
  statusCode: StatusCode.BadConfigurationError,
  message: "no read can fetch this signal: it is longer than 125 registers or runs past address 65535",
  hint: "Check the signal's address and length.",
  blames: "address",
  transient: false,
};
const UNREADABLE_INTERVAL_MS = 60_000;
/** Misses are counted always, and logged when they begin again after so long without one. */
const LATE_LOG_PAUSE_MS = 60_000;

/** Plays the plan on its grid and turns what comes into samples, until its signal aborts or the line is lost. */
export class Poller {
  missedDeadlines = 0;
  readonly #reader: UnitReader;
  readonly #quarantine: Quarantine;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #emit: (samples: readonly Sample[]) => void;
  #machines: readonly ModbusMachine[];
  #wanted: readonly ModbusMachine[] | null = null;
  #entries: ScheduledRead[] = [];
  #unreadable: readonly PlannedItem[] = [];
  #unreadableDueMs = 0;
  #wake = new AbortController();
  #failing = new Map<string, { item: PlannedItem; unitId: number; failure: FailureMeaning }>();
  readonly #unitFaults = new Map<number, string>();
  #lastMissMs = Number.NEGATIVE_INFINITY;

  constructor(
    machines: readonly ModbusMachine[],
    reader: UnitReader,
    quarantine: Quarantine,
    deps: { clock: Clock; logger: Logger },
    emit: (samples: readonly Sample[]) => void,
  ) {
    this.#machines = machines;
    this.#reader = reader;
    this.#quarantine = quarantine;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#emit = emit;
    this.#replan("start");
  }

  /** Takes other machines; signals that did not change keep their place on the grid. */
  apply(machines: readonly ModbusMachine[]): void {
    // Taken over between two reads: the one under way still belongs to the old plan and its grid.
    this.#wanted = machines;
    this.#wake.abort();
  }

  get failingCount(): number {
    return this.#failing.size;
  }

  /** Units that don't answer at present. */
  get failingUnits(): readonly number[] {
    return [...this.#unitFaults.keys()].sort((a, b) => a - b);
  }

  /** Dead units before single signals: they explain more. */
  problems(): SignalProblem[] {
    const failing = [...this.#failing.values()];
    const rank = (failure: FailureMeaning) => (failure.blames === "unit" ? 0 : 1);
    return failing
      .sort((a, b) => rank(a.failure) - rank(b.failure))
      .slice(0, PROBLEMS_MAX)
      .map(({ item, unitId, failure }) => ({
        machineId: item.machineId,
        signal: item.signal.name,
        statusCode: failure.statusCode,
        message: `${item.signal.table} ${item.address} of unit ${unitId}: ${failure.message}`,
        hint: failure.hint,
      }));
  }

  /** @throws EdgeError DRIVER_NOT_CONNECTED when the line is lost and can't be had again at once */
  async run(signal: AbortSignal): Promise<void> {
    // One listener for the whole run: a combined signal for every pause would pile up on a signal that lives for weeks.
    signal.addEventListener("abort", () => this.#wake.abort(), { once: true });
    while (!signal.aborted) {
      if (this.#wanted !== null) {
        this.#machines = this.#wanted;
        this.#wanted = null;
        this.#replan("apply");
      }
      this.#emitUnreadable();
      const nowMs = this.#clock.monotonicMs();
      const next = pickNext(this.#entries, nowMs);
      if ("waitMs" in next) {
        this.#wake = new AbortController();
        await this.#clock.sleep(Math.min(next.waitMs, UNREADABLE_INTERVAL_MS), this.#wake.signal);
        continue;
      }
      const planVersion = this.#quarantine.version;
      const results = await this.#reader.read(next.read, signal);
      if (signal.aborted) return;
      this.#advance(next);
      this.#take(next.read.unitId, results);
      if (this.#quarantine.version !== planVersion) this.#replan("quarantine");
    }
  }

  #advance(entry: ScheduledRead): void {
    if (entry.once) {
      this.#entries = this.#entries.filter((other) => other !== entry);
      return;
    }
    const { dueMs, missed } = advance(entry.dueMs, entry.read.pollIntervalMs, this.#clock.monotonicMs());
    entry.dueMs = dueMs;
    this.missedDeadlines += missed;
    if (missed === 0) return;
    const quietMs = this.#clock.monotonicMs() - this.#lastMissMs;
    this.#lastMissMs = this.#clock.monotonicMs();
    if (quietMs > LATE_LOG_PAUSE_MS) {
      const { unitId, pollIntervalMs } = entry.read;
      this.#logger.warn({ unitId, pollIntervalMs, missed }, "the line is too slow for its poll intervals");
    }
  }

  #take(unitId: number, results: readonly ItemResult[]): void {
    // Signals that `apply` took away or changed while the read was under way.
    const kept = this.#wanted === null ? null : keysOf(this.#wanted);
    const receivedTimestampMs = this.#clock.nowMs();
    const samples: Sample[] = [];
    for (const result of results) {
      const { item } = result;
      if (kept !== null && !kept.has(itemKey(unitId, item))) continue;
      const { value, statusCode } =
        "words" in result
          ? decodeCells(result.words, item.signal)
          : { value: null, statusCode: result.failure.statusCode };
      if ("failure" in result) this.#failing.set(itemKey(unitId, item), { item, unitId, failure: result.failure });
      else if (this.#failing.size > 0) this.#failing.delete(itemKey(unitId, item));
      samples.push({
        machineId: item.machineId,
        signal: item.signal.name,
        value,
        statusCode,
        sourceTimestampMs: null,
        serverTimestampMs: null,
        receivedTimestampMs,
      });
    }
    this.#noteUnit(unitId, results);
    if (samples.length > 0) this.#emit(samples);
  }

  /** Logged when a unit begins to fail, fails differently, or answers again. */
  #noteUnit(unitId: number, results: readonly ItemResult[]): void {
    const fault = results.find((result) => "failure" in result && result.failure.blames === "unit");
    const before = this.#unitFaults.get(unitId);
    if (fault !== undefined && "failure" in fault) {
      const { message, statusCode, hint } = fault.failure;
      this.#unitFaults.set(unitId, message);
      if (before !== message) this.#logger.warn({ unitId, status: statusName(statusCode), hint }, message);
    } else if (before !== undefined && results.length > 0) {
      this.#unitFaults.delete(unitId);
      this.#logger.info({ unitId }, "the unit answers again");
    }
  }

  #emitUnreadable(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#unreadable.length === 0 || nowMs < this.#unreadableDueMs) return;
    this.#unreadableDueMs = nowMs + UNREADABLE_INTERVAL_MS;
    const unitIdOf = new Map(this.#machines.map((machine) => [machine.machineId, machine.unitId]));
    for (const item of this.#unreadable) {
      this.#take(unitIdOf.get(item.machineId) ?? 0, [{ item, failure: UNREADABLE }]);
    }
  }

  #replan(cause: "start" | "apply" | "quarantine"): void {
    const nowMs = this.#clock.monotonicMs();
    if (cause === "apply") this.#quarantine.keepOnly(rangesOf(this.#machines));
    const options = { quarantine: this.#quarantine.ranges(), learnedMax: this.#quarantine.learnedMax };
    const dueByItem = new Map<string, number>();
    const gridByInterval = new Map<string, number>();
    for (const { read, dueMs, once } of this.#entries) {
      if (once) continue;
      gridByInterval.set(`${read.unitId}|${read.pollIntervalMs}`, dueMs);
      for (const item of read.items) dueByItem.set(itemKey(read.unitId, item), dueMs);
    }
    const { reads, unreadable } = planReads(this.#machines, options);
    const entries = reads.map((read): ScheduledRead => {
      const dues = read.items.flatMap((item) => dueByItem.get(itemKey(read.unitId, item)) ?? []);
      const gridMs = gridByInterval.get(`${read.unitId}|${read.pollIntervalMs}`) ?? nowMs;
      const isNew = dues.length === 0;
      // New signals get their first reading from the extra reads below, then join the grid.
      const dueMs = !isNew
        ? Math.min(...dues)
        : cause === "start"
          ? nowMs
          : advance(gridMs, read.pollIntervalMs, nowMs).dueMs;
      return { read, dueMs, once: false };
    });
    const known = (unitId: number, item: PlannedItem) => dueByItem.has(itemKey(unitId, item));
    const pendingOnce = new Set(
      this.#entries.flatMap(({ read, once }) => (once ? read.items.map((item) => itemKey(read.unitId, item)) : [])),
    );
    const added = this.#machines.map((machine) => ({
      ...machine,
      signals: machine.signals.filter((signal) => {
        const item = { machineId: machine.machineId, signal, address: signal.address, count: 0 };
        return !known(machine.unitId, item) || pendingOnce.has(itemKey(machine.unitId, item));
      }),
    }));
    const firsts = cause === "start" ? [] : planReads(added, options).reads;
    this.#entries = [...entries, ...firsts.map((read) => ({ read, dueMs: nowMs, once: true }))];
    this.#unreadable = unreadable;
    if (cause === "apply") this.#unreadableDueMs = nowMs;
    const keys = new Set(reads.flatMap((read) => read.items.map((item) => itemKey(read.unitId, item))));
    const units = new Set(reads.map((read) => read.unitId));
    for (const [key, { failure }] of this.#failing) {
      if (!keys.has(key) && (failure !== UNREADABLE || cause === "apply")) this.#failing.delete(key);
    }
    for (const unitId of this.#unitFaults.keys()) if (!units.has(unitId)) this.#unitFaults.delete(unitId);
  }
}

function keysOf(machines: readonly ModbusMachine[]): Set<string> {
  return new Set(
    machines.flatMap(({ machineId, unitId, signals }) =>
      signals.map((signal) => itemKey(unitId, { machineId, signal, address: signal.address, count: 0 })),
    ),
  );
}

function rangesOf(machines: readonly ModbusMachine[]): Map<number, CellRange[]> {
  const ranges = new Map<number, CellRange[]>();
  for (const read of planReads(machines).reads) {
    ranges.set(read.unitId, [...(ranges.get(read.unitId) ?? []), read]);
  }
  return ranges;
}
