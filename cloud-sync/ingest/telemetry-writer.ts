import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { CommitResult, EventStore, Partition, Transaction } from "../store/event-store.ts";
import { rangesOf } from "../store/seq-ranges.ts";
import { partitionOf, SEQS_PER_PARTITION } from "../store/telemetry-document.ts";
import { eventsDocument, rollupDocument } from "../store/write-telemetry.ts";
import { perPartition } from "./admission.ts";
import { AdmittedCache, NOTHING_KNOWN } from "./admitted-cache.ts";
import { ADMITTED_ID, type PartitionStart, readAdmitted } from "./admitted-document.ts";
import type { Arrival, EventsArrival, ForeignArrival, Refusal, RunArrival } from "./arrival.ts";
import { Breather } from "./breather.ts";
import { type PartitionOffer, type PartitionPlan, planPartition } from "./partition-plan.ts";
import { refusalOf } from "./read-message.ts";

export interface TelemetryWriterOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  /** Partitions whose admitted ranges are kept in memory; a machine has one or two at a time. */
  readonly cachedPartitionsMax?: number;
}

/** What became of the arrivals of one call. */
export interface Written {
  readonly documents: number;
  readonly events: number;
  readonly samples: number;
  /** Events that were here already. */
  readonly duplicates: number;
  /** Transactions that another worker came before. */
  readonly conflicts: number;
  readonly refusals: readonly Refusal[];
}

const CACHED_PARTITIONS_MAX = 50_000;
const CACHED_RANGES_MAX = 2_000_000;
const TRANSACTIONS_MAX = 500;
/** Conflicts of one partition in a row: two workers that write the same take turns, and one of them always gets on. */
const CONFLICTS_MAX = 100;
const CONFLICT_WAIT_MS_MAX = 200;

/**
 * Writes what arrived into the container telemetry, each event once, whoever else writes the same at the same time. When it throws, some of
 * it may be there; calling it again with the same arrivals is right.
 */
export class TelemetryWriter {
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #cache: AdmittedCache;

  constructor(options: TelemetryWriterOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    const partitionsMax = options.cachedPartitionsMax ?? CACHED_PARTITIONS_MAX;
    this.#cache = new AdmittedCache({ partitionsMax, rangesMax: CACHED_RANGES_MAX });
  }

  /** Partitions in memory. */
  get cachedPartitions(): number {
    return this.#cache.partitions;
  }

  /** @throws EdgeError as the store */
  async write(arrivals: readonly Arrival[], signal: AbortSignal): Promise<Written> {
    const tally = new Tally();
    let work = [...this.#jobsOf(arrivals), ...singlesOf(arrivals, tally)];
    while (work.length > 0) {
      const later: Work[] = [];
      for (let at = 0; at < work.length; at += TRANSACTIONS_MAX)
        later.push(...(await this.#step(work.slice(at, at + TRANSACTIONS_MAX), tally, signal)));
      work = later;
      const conflicts = Math.max(0, ...work.map((each) => each.conflicts));
      if (conflicts > 1)
        await this.#clock.sleep(Math.random() * Math.min(CONFLICT_WAIT_MS_MAX, 2 ** conflicts), signal);
    }
    return tally;
  }

  /** One transaction of each at most. @returns what is left to do */
  async #step(work: readonly Work[], tally: Tally, signal: AbortSignal): Promise<Work[]> {
    const jobs = work.filter((each) => each instanceof PartitionJob);
    try {
      await this.#load(jobs, signal);
      const planned: { readonly each: Work; readonly plan: Planned }[] = [];
      const breather = new Breather();
      for (const each of work) {
        planned.push({ each, plan: this.#plan(each) });
        await breather.breathe();
      }
      const writing = planned.filter(({ plan }) => plan.transaction.operations.length > 0);
      const results = await this.#store.commit(
        "telemetry",
        writing.map(({ plan }) => plan.transaction),
        signal,
      );
      const byWork = new Map(writing.map(({ each }, index) => [each, results[index]]));
      return planned.flatMap(({ each, plan }) => this.#settle(each, plan, byWork.get(each), tally));
    } catch (error) {
      // Nobody knows what was written and what not.
      for (const { key } of jobs) this.#cache.delete(key);
      throw error;
    }
  }

  async #load(jobs: readonly PartitionJob[], signal: AbortSignal): Promise<void> {
    for (const job of jobs) job.known = this.#cache.get(job.key);
    const unknown = jobs.filter(({ known }) => known === undefined);
    if (unknown.length === 0) return;
    const documents = await this.#store.get(
      "telemetry",
      unknown.map(({ partition }) => ({ partition, id: ADMITTED_ID })),
      signal,
    );
    for (const [index, job] of unknown.entries()) {
      const document = documents[index];
      if (document === undefined) job.known = NOTHING_KNOWN;
      else job.known = { ranges: readAdmitted(document, job.start.baseSeq), etag: document.etag };
    }
  }

  #plan(work: Work): Planned {
    if (!(work instanceof PartitionJob)) return { transaction: work.transaction };
    const plan = planPartition(work.start, work.known ?? NOTHING_KNOWN, work.offers, work.offersMax);
    return { plan, transaction: { partition: work.partition, operations: plan.operations } };
  }

  #settle(work: Work, planned: Planned, result: CommitResult | undefined, tally: Tally): Work[] {
    if (!(work instanceof PartitionJob)) return work.settle(result, tally);
    const plan = planned.plan as PartitionPlan;
    if (result !== undefined && result.status !== "done") {
      this.#cache.delete(work.key);
      if (result.status === "too-large") return work.tooLarge(tally);
      tally.conflicts++;
      work.conflicts++;
      if (work.conflicts > CONFLICTS_MAX) throw work.stuck(result.status);
      return [work];
    }
    const etag = result?.etags.at(-1) ?? work.known?.etag;
    this.#cache.set(work.key, { ranges: plan.admitted, etag });
    tally.add(plan);
    work.conflicts = 0;
    return work.next(plan.settled);
  }

  #jobsOf(arrivals: readonly Arrival[]): PartitionJob[] {
    const jobs = new Map<string, PartitionJob>();
    const offer = (arrival: RunArrival | EventsArrival, firstSeq: number, seqs: PartitionOffer["seqs"]): void => {
      const job = new PartitionJob(
        arrival.kind === "run" ? arrival.block.head : (arrival.events[0] as Stream),
        firstSeq,
      );
      const known = jobs.get(job.key) ?? job;
      known.offers.push({ arrival, seqs });
      jobs.set(job.key, known);
    };
    for (const arrival of arrivals) {
      if (arrival.kind === "run") {
        const { firstSeq, lastSeq } = arrival.block.head;
        for (const run of perPartition(firstSeq, lastSeq)) offer(arrival, run[0], [run]);
      } else if (arrival.kind === "events") {
        const parts = Map.groupBy(arrival.events, ({ seq }) => Math.floor(seq / SEQS_PER_PARTITION));
        for (const events of parts.values())
          offer({ ...arrival, events }, events[0]?.seq ?? 0, rangesOf(events.map(({ seq }) => seq)));
      }
    }
    for (const { offers } of jobs.values()) offers.sort((a, b) => (a.seqs[0]?.[0] ?? 0) - (b.seqs[0]?.[0] ?? 0));
    return [...jobs.values()];
  }
}

type Stream = { readonly epoch: string; readonly machineId: string };
type Work = PartitionJob | Single;

interface Planned {
  readonly plan?: PartitionPlan;
  readonly transaction: Transaction;
}

/** What arrived for one partition. */
class PartitionJob {
  readonly partition: Partition;
  readonly start: PartitionStart;
  readonly key: string;
  offers: PartitionOffer[] = [];
  offersMax = Number.POSITIVE_INFINITY;
  conflicts = 0;
  known: ReturnType<AdmittedCache["get"]>;

  constructor({ epoch, machineId }: Stream, seq: number) {
    this.partition = partitionOf({ epoch, machineId, seq });
    this.start = { epoch, machineId, baseSeq: Math.floor(seq / SEQS_PER_PARTITION) * SEQS_PER_PARTITION };
    this.key = JSON.stringify([machineId, this.partition.part]);
  }

  next(settled: number): Work[] {
    this.offers = this.offers.slice(settled);
    this.offersMax = Number.POSITIVE_INFINITY;
    return this.offers.length > 0 ? [this] : [];
  }

  /** Half as many at a time, and one by itself not at all. */
  tooLarge(tally: Tally): Work[] {
    const tried = Math.min(this.offersMax, this.offers.length);
    if (tried > 1) {
      this.offersMax = tried >> 1;
      return [this];
    }
    const message = this.offers[0]?.arrival.message ?? 0;
    tally.refusals.push({ message, code: "limit", reason: "it makes a document larger than a store takes" });
    return this.next(1);
  }

  stuck(status: string): EdgeError {
    const { stream, part } = this.partition;
    return new EdgeError(
      "STORE_REFUSED",
      `what is here of ${stream} (${part}) cannot be written down: "${status}" each time`,
      {
        hint: "Were documents put into the store, or removed from it, by something else?",
      },
    );
  }
}

/** A transaction that needs to know nothing of what is here. */
class Single {
  readonly transaction: Transaction;
  readonly #arrival: ForeignArrival | undefined;
  readonly #message: number;
  readonly conflicts = 0;

  /** @param arrival of events that are new when their document is */
  constructor(transaction: Transaction, message: number, arrival?: ForeignArrival) {
    this.transaction = transaction;
    this.#message = message;
    this.#arrival = arrival;
  }

  settle(result: CommitResult | undefined, tally: Tally): Work[] {
    const events = this.#arrival?.events.length ?? 0;
    if (result?.status === "too-large") {
      tally.refusals.push({
        message: this.#message,
        code: "limit",
        reason: "it makes a document larger than a store takes",
      });
    } else if (result?.status === "done") {
      tally.documents++;
      tally.events += events;
      for (const { data } of this.#arrival?.events ?? [])
        tally.samples += "samples" in data ? (data.samples as []).length : 0;
    } else tally.duplicates += events;
    return [];
  }
}

/** Roll-ups replace what is there; documents of foreign events are there or not. */
function singlesOf(arrivals: readonly Arrival[], tally: Tally): Single[] {
  const singles: Single[] = [];
  const rollups = new Map<string, Single>();
  for (const arrival of arrivals) {
    try {
      if (arrival.kind === "rollup") {
        const { rollup, origin, message } = arrival;
        const partition = partitionOf({ ...rollup, seq: rollup.firstSeq });
        const document = rollupDocument(rollup, origin);
        const single = new Single({ partition, operations: [{ op: "upsert", document }] }, message);
        rollups.set(JSON.stringify([partition.stream, partition.part, document.id]), single);
      } else if (arrival.kind === "foreign") {
        const [first] = arrival.events;
        if (first === undefined) continue;
        const document = eventsDocument(arrival.events, arrival.origin);
        const partition = partitionOf(first);
        singles.push(new Single({ partition, operations: [{ op: "create", document }] }, arrival.message, arrival));
      }
    } catch (error) {
      tally.refusals.push(refusalOf(error, arrival.message));
    }
  }
  return [...singles, ...rollups.values()];
}

class Tally implements Written {
  documents = 0;
  events = 0;
  samples = 0;
  duplicates = 0;
  conflicts = 0;
  readonly refusals: Refusal[] = [];

  add(plan: PartitionPlan): void {
    this.documents += plan.documents;
    this.events += plan.events;
    this.samples += plan.samples;
    this.duplicates += plan.duplicates;
    this.refusals.push(...plan.refusals);
  }
}
