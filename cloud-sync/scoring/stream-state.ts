import type { SignalLabel } from "../../models/anomaly/anomaly-data.ts";
import type { SignalInfo, StoredEvent } from "../contract/event.ts";
import { unionOf } from "../store/seq-sets.ts";
import type { SeqRanges } from "../store/telemetry-document.ts";
import { type EdgeModels, isAtEdge, withEvent } from "./edge-models.ts";
import type { WatchState } from "./maintenance-watch.ts";
import type { ScoringModels } from "./scoring-models.ts";
import { type Speakers, StreamScorer } from "./stream-scorer.ts";

/** Ranges of seq that a stream remembers; of more, the lowest are joined, and what was missing between them is scored no more. */
const RANGES_MAX = 64;
const TITLE_CHARACTERS_MAX = 200;
const UNIT_CHARACTERS_MAX = 40;

/** As it lies in the database. */
export interface SavedStream {
  readonly facts: string;
  readonly detectors: Uint8Array;
  readonly late: Uint8Array | null;
}

interface Facts {
  readonly typeName?: string;
  readonly labels: Readonly<Record<string, SignalLabel>>;
  readonly edge: EdgeModels;
  readonly seen: SeqRanges;
  /** Highest seq whose readings were scored in their turn; −1: none was. */
  readonly frontier: number;
  readonly watch?: WatchState;
  readonly late?: { readonly lastSeq: number; readonly watch: WatchState };
}

/** All that scoring knows of one machine within one epoch. */
export class StreamState {
  readonly #models: ScoringModels;
  #facts: Facts = { labels: {}, edge: {}, seen: [], frontier: -1 };
  #live: StreamScorer | undefined;
  #late: { scorer: StreamScorer; lastSeq: number } | undefined;
  /** Whether it differs from what the database has. */
  isDirty = false;

  /** @throws SyntaxError when what was saved is none of ours */
  constructor(models: ScoringModels, saved?: SavedStream) {
    this.#models = models;
    if (saved === undefined) return;
    this.#facts = JSON.parse(saved.facts) as Facts;
    const { watch, late } = this.#facts;
    if (watch !== undefined) this.#live = new StreamScorer(models, { watch, detectors: saved.detectors });
    if (late !== undefined && saved.late !== null) {
      const scorer = new StreamScorer(models, { watch: late.watch, detectors: saved.late });
      this.#late = { scorer, lastSeq: late.lastSeq };
    }
  }

  save(): SavedStream {
    const live = this.#live?.save();
    const late = this.#late?.scorer.save();
    const { watch: _, late: __, ...facts } = this.#facts;
    const whole: Facts = {
      ...facts,
      ...(live === undefined ? {} : { watch: live.watch }),
      ...(late === undefined ? {} : { late: { lastSeq: this.#late?.lastSeq ?? 0, watch: late.watch } }),
    };
    return {
      facts: JSON.stringify(whole),
      detectors: live?.detectors ?? new Uint8Array(),
      late: late?.detectors ?? null,
    };
  }

  get typeName(): string | undefined {
    return this.#facts.typeName;
  }

  get seen(): SeqRanges {
    return this.#facts.seen;
  }

  get frontier(): number {
    return this.#facts.frontier;
  }

  get speakers(): Speakers {
    const { edge } = this.#facts;
    const { classifier, detectors } = this.#models;
    return {
      maintenance: !isAtEdge(edge, classifier.model),
      spikeDip: !isAtEdge(edge, detectors.spikeDip),
      changepoint: !isAtEdge(edge, detectors.changepoint),
    };
  }

  labelOf(signal: string): SignalLabel | undefined {
    if (Object.hasOwn(this.#facts.labels, signal)) return this.#facts.labels[signal];
    return this.#models.classifier.inputs.find((input) => input.signal === signal);
  }

  /** What an event of the edge that is no telemetry tells of the machine. @param named signals whose labels are worth keeping */
  hear(event: StoredEvent, named: ReadonlySet<string>): void {
    const edge = withEvent(this.#facts.edge, event);
    if (edge !== this.#facts.edge) this.#change({ edge });
    if (event.type !== "config" || event.data.kind !== "machine") return;
    const { typeName, signals } = event.data;
    this.#change({ typeName: String(typeName).slice(0, TITLE_CHARACTERS_MAX), labels: labelsOf(signals, named) });
  }

  /** These seqs are done with, whatever they held. */
  markSeen(ranges: SeqRanges): void {
    let seen = unionOf(this.#facts.seen, ranges);
    const spare = seen.length - RANGES_MAX;
    if (spare > 0) {
      const [from, to] = [seen[0]?.[0] ?? 0, seen[spare]?.[1] ?? 0];
      seen = [[from, to], ...seen.slice(spare + 1)];
    }
    this.#change({ seen });
  }

  /** The scorer of readings that come in their turn. */
  live(lastSeq: number): StreamScorer {
    this.#change({ frontier: lastSeq });
    this.#live ??= new StreamScorer(this.#models);
    return this.#live;
  }

  /** Whether late readings from this seq on begin with a copy of the live scorer's state as it is then. */
  needsCopy(firstSeq: number): boolean {
    return this.#late === undefined || firstSeq <= this.#late.lastSeq;
  }

  /**
   * The scorer of readings that come after later ones: it began with a copy of what was known when the first of them came, and goes on as
   * long as they come in their order; what they say does not touch the live scorer.
   */
  late(firstSeq: number, lastSeq: number): StreamScorer {
    if (this.needsCopy(firstSeq) || this.#late === undefined)
      this.#late = { scorer: new StreamScorer(this.#models, this.#live?.save()), lastSeq };
    this.#late.lastSeq = lastSeq;
    this.isDirty = true;
    return this.#late.scorer;
  }

  #change(facts: Partial<Facts>): void {
    this.#facts = { ...this.#facts, ...facts };
    this.isDirty = true;
  }
}

/** Another program's JSON: names that are none are passed over, long ones cut. */
function labelsOf(signals: unknown, named: ReadonlySet<string>): Record<string, SignalLabel> {
  if (!Array.isArray(signals)) return {};
  const labels = signals.flatMap((info: Partial<SignalInfo> | null) => {
    if (typeof info?.name !== "string" || !named.has(info.name)) return [];
    const [title, unit] = [String(info.title || info.name), String(info.unit ?? "")];
    return [[info.name, { title: title.slice(0, TITLE_CHARACTERS_MAX), unit: unit.slice(0, UNIT_CHARACTERS_MAX) }]];
  });
  return Object.fromEntries(labels);
}
