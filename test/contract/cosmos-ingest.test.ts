import { pino } from "pino";
import { expect, test } from "vitest";
import { decodeBlock } from "../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { Arrival } from "../../cloud-sync/ingest/arrival.ts";
import { TelemetryWriter } from "../../cloud-sync/ingest/telemetry-writer.ts";
import { createCosmosEventStore } from "../../cloud-sync/store/cosmos/cosmos-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { uniform } from "../support/block-samples.ts";
import { type CosmosPeer, startCosmosPeer } from "../support/cosmos-peer/cosmos-peer.ts";
import { type FaultKind, isWrite } from "../support/cosmos-peer/faults.ts";
import { feedEvents } from "../support/feed-events.ts";
import { machineStream } from "../support/machine-streams.ts";

const logger = pino({ level: "silent" });
const { signal } = new AbortController();
const origin = { factoryId: "redmond", deviceId: "box", enqueuedMs: 1_780_000_500_000 };
const FAULTS: readonly FaultKind[] = [
  "throttled",
  "retry-with",
  "unavailable",
  "unavailable-bare",
  "reset",
  "reset-after",
];

/** The stream in overlapping pieces, shuffled. */
function piecesOf(stream: readonly StoredEvent[], next: () => number): Arrival[] {
  const pieces = Array.from({ length: 40 }, (_, index) => {
    const from = index < 20 ? index * 10 : Math.floor(next() * 180);
    const bytes = encodeBlock(stream.slice(from, from + (index < 20 ? 10 : 17)), new Uint8Array(16));
    const arrival: Arrival = { kind: "run", message: 0, origin, block: decodeBlock(bytes), bytes };
    return { arrival, key: next() };
  });
  return pieces.sort((a, b) => a.key - b.key).map(({ arrival }) => arrival);
}

async function work(peer: CosmosPeer, streams: readonly (readonly StoredEvent[])[], seed: number): Promise<void> {
  const next = uniform(seed);
  const account = { endpoint: peer.endpoint, key: peer.key, database: "d" };
  await using store = createCosmosEventStore({ ...account, clock: systemClock, logger });
  const writer = new TelemetryWriter({ store, clock: systemClock });
  const arrivals = streams.flatMap((stream) => piecesOf(stream, next));
  for (let at = 0; at < arrivals.length; ) {
    if (next() < 0.4) {
      const kind = FAULTS[Math.floor(next() * FAULTS.length)] as FaultKind;
      peer.faults.order({ kind, of: isWrite, times: 1 + Math.floor(next() * 2), retryAfterMs: 5 });
    }
    const batch = arrivals.slice(at, at + 6);
    try {
      await writer.write(batch, signal);
      at += batch.length;
    } catch (error) {
      if (!(error instanceof EdgeError && error.code === "STORE_UNAVAILABLE")) throw error;
    }
  }
}

test.each([5, 6])(
  "two workers that write the same, an account that fails in every way: each event is there once (seed %i)",
  async (seed) => {
    await using peer = await startCosmosPeer();
    const account = { endpoint: peer.endpoint, key: peer.key, database: "d" };
    await using store = createCosmosEventStore({ ...account, clock: systemClock, logger });
    await store.ensure(signal);
    const streams = ["redmond/mill-01", "redmond/o'brien/#?\\", "鋼".repeat(512)].map((id) => machineStream(id, 200));
    await Promise.all([work(peer, streams, seed), work(peer, streams, seed + 100)]);
    peer.faults.clear();
    const identity = ({ machineId, seq }: StoredEvent): string => `${machineId} ${String(seq).padStart(5, "0")}`;
    const found = (await feedEvents(store)).sort((a, b) => (identity(a) < identity(b) ? -1 : 1));
    const wanted = streams.flat().sort((a, b) => (identity(a) < identity(b) ? -1 : 1));
    expect(found).toEqual(wanted);
  },
);
