import { createHash } from "node:crypto";
import type { QueryContext } from "../query-context.ts";
import { readOverview } from "./read-overview.ts";
import type { Overview } from "./schema.ts";

/** However many pages are open, the overview is read so often at most. */
const FRESH_MS = 500;

export interface CachedOverview {
  readonly overview: Overview;
  /** Changes with what there is to see; the time of reading and ages by it do not count. */
  readonly etag: string;
}

/** The overview, shared by all who ask in the same moment. */
export class OverviewCache {
  readonly #context: QueryContext;
  #cached: { untilMs: number; readonly reading: Promise<CachedOverview> } | undefined;

  constructor(context: QueryContext) {
    this.#context = context;
  }

  get(): Promise<CachedOverview> {
    const { clock } = this.#context;
    if (this.#cached !== undefined && clock.monotonicMs() < this.#cached.untilMs) return this.#cached.reading;
    const cached = { untilMs: Number.POSITIVE_INFINITY, reading: this.#read() };
    this.#cached = cached;
    cached.reading.then(
      () => {
        cached.untilMs = clock.monotonicMs() + FRESH_MS;
      },
      () => {
        cached.untilMs = 0;
      },
    );
    return cached.reading;
  }

  async #read(): Promise<CachedOverview> {
    const overview = await readOverview(this.#context.sql, this.#context.clock.nowMs());
    const steady = overview.factories.map((factory) => ({ ...factory, ageSeconds: null }));
    const hash = createHash("sha256").update(JSON.stringify(steady)).digest("base64url");
    return { overview, etag: `"${hash.slice(0, 22)}"` };
  }
}
