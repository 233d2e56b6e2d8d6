import pino from "pino";
import { decodeBlock } from "../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { createProjections } from "../../cloud-sync/projections/all-projections.ts";
import { Feed } from "../../cloud-sync/projections/feed/feed.ts";
import { ProjectionLoop } from "../../cloud-sync/projections/projection-loop.ts";
import type { Container, EventStore, NewDocument, Partition } from "../../cloud-sync/store/event-store.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { partitionOf, type SeqRanges } from "../../cloud-sync/store/telemetry-document.ts";
import { blockDocument, eventsDocument, type Origin } from "../../cloud-sync/store/write-telemetry.ts";
import { type Clock, systemClock } from "../../edge/kernel/clock.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";

const quiet = pino({ level: "silent" });
export const ORIGIN: Origin = { factoryId: "redmond", deviceId: "box-1", enqueuedMs: 1_780_000_000_000 };

/** A document with the place where it belongs. */
export interface PlacedDocument {
  readonly container: Container;
  readonly partition: Partition;
  readonly document: NewDocument;
}

export interface FeedBench extends TestDatabase {
  readonly store: EventStore;
  readonly clock: Clock;
  put(documents: readonly PlacedDocument[]): Promise<void>;
  loops(names?: readonly string[]): ProjectionLoop[];
  /** Until each of the loops has come to the end of the feed. */
  project(loops: readonly ProjectionLoop[]): Promise<void>;
}

/** It is just after the documents were taken by the hub, and stays so; durations are real. */
const clockThen: Clock = { ...systemClock, nowMs: () => ORIGIN.enqueuedMs + 1_000 };

/** A database with an event store and projections over it. */
export async function feedBench(clock: Clock = clockThen): Promise<FeedBench> {
  const server = await testDatabase();
  const { database } = server;
  const { signal } = new AbortController();
  const store = createPostgresEventStore({ database, clock, logger: quiet });
  await store.ensure(signal);
  const feeds: Feed[] = [];
  return {
    ...server,
    store,
    clock,
    put: async (documents) => {
      for (const { container, partition, document } of documents)
        await store.commit(container, [{ partition, operations: [{ op: "upsert", document }] }], signal);
      for (const feed of feeds) feed.wake();
    },
    loops: (projections) => {
      const feed = new Feed(store, clock);
      feeds.push(feed);
      const made = createProjections({ store, database, clock, ...(projections === undefined ? {} : { projections }) });
      return made.map((projection) => new ProjectionLoop({ projection, feed, database, clock, logger: quiet }));
    },
    project: async (loops) => {
      // The end of the feed is not looked at all the time; longer than between two looks nothing may come.
      for (let quietMs = 0; quietMs < QUIET_MS; ) {
        let isMoved = false;
        for (const loop of loops) {
          const before = loop.documents;
          if ((await loop.step(signal, true)) || loop.documents > before) isMoved = true;
        }
        quietMs = isMoved ? 0 : quietMs + LOOK_MS;
        if (!isMoved) await systemClock.sleep(LOOK_MS);
      }
    },
  };
}

const [LOOK_MS, QUIET_MS] = [20, 140];

/** A run of events as a block. @param admitted the seqs that count; all when left out */
export function blockOf(events: readonly StoredEvent[], admitted?: SeqRanges, origin = ORIGIN): PlacedDocument {
  const bytes = encodeBlock(events, new Uint8Array(16));
  const document = blockDocument(bytes, decodeBlock(bytes), origin, admitted);
  return { container: "telemetry", partition: partitionOf(events[0] as StoredEvent), document };
}

export function eventsOf(
  events: readonly StoredEvent[],
  origin = ORIGIN,
  container: Container = "telemetry",
): PlacedDocument {
  return { container, partition: partitionOf(events[0] as StoredEvent), document: eventsDocument(events, origin) };
}
