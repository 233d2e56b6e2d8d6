import { pino } from "pino";
import { decodeBlock } from "../../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import { TelemetryWriter } from "../../../cloud-sync/ingest/telemetry-writer.ts";
import { createCosmosEventStore } from "../../../cloud-sync/store/cosmos/cosmos-event-store.ts";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { startCosmosPeer } from "../../support/cosmos-peer/cosmos-peer.ts";
import { cellTicks } from "../data/cell-data.ts";
import { eventsOf } from "../data/tick.ts";
import type { Row } from "../run-sections.ts";

const { TAILSTOCK_TEST_COSMOS_ENDPOINT: ENDPOINT, TAILSTOCK_TEST_COSMOS_KEY: KEY } = process.env;
const { signal } = new AbortController();

/** What it costs in Cosmos DB to take a block of one machine in, into a partition that has one already. */
export interface UnitsPerBlock {
  readonly readings: number;
  readonly blockBytes: number;
  readonly writeUnits: number;
  readonly readUnits: number;
}

/**
 * Blocks of a machine of 100 signals at 1 Hz, as ingest writes them: the block's document and its bookkeeping in one batch. Charges are
 * those of the account's answers; of the peer, which answers where no account is named, the documented rates.
 */
export async function cosmosUnits(readingCounts: readonly number[] = [300, 6_000]): Promise<UnitsPerBlock[]> {
  const peer = ENDPOINT === undefined || KEY === undefined ? await startCosmosPeer() : undefined;
  const account = { endpoint: peer?.endpoint ?? ENDPOINT ?? "", key: peer?.key ?? KEY ?? "" };
  const logger = pino({ level: "silent" });
  await using store = createCosmosEventStore({ ...account, database: "tailstock-bench", clock: systemClock, logger });
  await store.ensure(signal);
  const writer = new TelemetryWriter({ store, clock: systemClock });
  const measured: UnitsPerBlock[] = [];
  const epoch = crypto.randomUUID();
  let seq = 1;
  for (const readings of [readingCounts[0] ?? 300, ...readingCounts]) {
    const { bytes, block, events } = blockOf(epoch, seq, readings);
    seq += events;
    const before = store.charges();
    const origin = { factoryId: "redmond", deviceId: "redmond-box", enqueuedMs: Date.now() };
    await writer.write([{ kind: "run", message: 0, origin, block, bytes }], signal);
    const { writeUnits, readUnits } = store.charges();
    measured.push({
      readings: block.head.samples,
      blockBytes: bytes.length,
      writeUnits: writeUnits - before.writeUnits,
      readUnits: readUnits - before.readUnits,
    });
  }
  await peer?.[Symbol.asyncDispose]();
  return measured.slice(1);
}

export async function cosmosRows(): Promise<Row[]> {
  const source =
    ENDPOINT === undefined ? "the peer's charges, which are the documented rates" : "the account's charges";
  return (await cosmosUnits()).map(({ readings, blockBytes, writeUnits, readUnits }): Row => {
    const perThousand = ((writeUnits + readUnits) * 1_000) / readings;
    const parts = `${blockBytes} B a block, ${(writeUnits + readUnits).toFixed(1)} RU for it and its bookkeeping`;
    return [`Cosmos, blocks of ${readings} readings`, `${perThousand.toFixed(1)} RU per 1,000`, `${parts}; ${source}`];
  });
}

function blockOf(
  epoch: string,
  firstSeq: number,
  readings: number,
): { bytes: Buffer; block: ReturnType<typeof decodeBlock>; events: number } {
  const ticks = cellTicks({ machines: 1, seed: 7, startMs: 1_780_000_000_000 });
  const events: StoredEvent[] = [];
  let taken = 0;
  // A machine is polled in parts: so many of them as have the readings.
  for (const event of eventsOf(ticks, readings * 100)) {
    if (taken >= readings) break;
    const seq = firstSeq + events.length;
    events.push({ ...event, epoch, seq, offset: seq, entityId: `${epoch}/${event.machineId}/${seq}` });
    taken += event.data.samples.length;
  }
  const bytes = encodeBlock(events, new Uint8Array(16));
  return { bytes, block: decodeBlock(bytes), events: events.length };
}
