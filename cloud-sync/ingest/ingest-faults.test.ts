import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { EventHubProducerClient } from "@azure/event-hubs";
import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { uniform } from "../../test/support/block-samples.ts";
import { feedEvents, identitiesOf } from "../../test/support/feed-events.ts";
import { HubProgram } from "../../test/support/hub-program.ts";
import type { IngestChildOptions } from "../../test/support/ingest-child.ts";
import { machineStream } from "../../test/support/machine-streams.ts";
import { testDatabase } from "../../test/support/postgres.ts";
import { endPrograms, firstLine, startProgram } from "../../test/support/runtime-process.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { encodeBlock } from "../contract/block/block-builder.ts";
import type { StoredEvent } from "../contract/event.ts";
import { encodeBundle, type Run } from "../contract/frame/bundle.ts";
import { EVENTS_CONTENT_TYPE, encodeEvents } from "../contract/frame/events-json.ts";
import { encodeFrame, FRAME_CONTENT_TYPE, type FramePart } from "../contract/frame/frame.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";

const OWNERSHIP_MS = 2_000;
const SEED = 20_260_725;

interface Outgoing {
  readonly body: Buffer;
  readonly contentType: string;
  readonly partition: string;
}

/** Messages of all kinds that together hold every event, many of them more than once, in any order. */
function messagesOf(streams: readonly StoredEvent[][], next: () => number): Outgoing[] {
  const messages: Outgoing[] = [];
  const frame = (parts: readonly FramePart[]): void => {
    messages.push({ body: encodeFrame(parts), contentType: FRAME_CONTENT_TYPE, partition: partition() });
  };
  const partition = (): string => String(Math.floor(next() * 4));
  for (const stream of streams) {
    for (let at = 0; at < stream.length; at += 20) {
      const run = stream.slice(at, at + 20);
      const kind = next();
      if (kind < 0.7) frame([{ kind: "bundle", bytes: encodeBundle([run] as unknown as Run[]) }]);
      if (kind > 0.5) {
        const longer = stream.slice(Math.max(0, at - 7), at + 20);
        frame([{ kind: "block", bytes: encodeBlock(longer, new Uint8Array(16)) }]);
      }
      const rare = run.filter(({ type }) => type !== "telemetry");
      for (const { body } of encodeEvents(rare, 250_000).messages)
        messages.push({ body, contentType: EVENTS_CONTENT_TYPE, partition: partition() });
    }
  }
  const again = messages.filter(() => next() < 0.3).map((message) => ({ ...message, partition: partition() }));
  return [...messages, ...again]
    .map((message) => ({ message, key: next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ message }) => message);
}

test("P08 workers killed, partitions fought for, a store that fails, the hub killed, all twice and in disorder: each event is there once", async () => {
  await using server = await testDatabase();
  const store = createPostgresEventStore({
    database: server.database,
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  await store.ensure(new AbortController().signal);
  await using hub = await new HubProgram(tempFolder(), ["box"], ["--port-amqp-plain", "0"]).start();
  const next = uniform(SEED);
  const streams = ["mill-01", "mill-02", "press"].map((name) => machineStream(`redmond/${name}`, 600));
  const messages = messagesOf(streams, next);
  const workers: ChildProcess[] = [];
  await using _ended = {
    [Symbol.asyncDispose]: () => endPrograms(workers.filter(({ signalCode }) => signalCode === null)),
  };
  const start = async (workerId: string, failingShare: number): Promise<ChildProcess> => {
    const options: IngestChildOptions = {
      eventsConnectionString: hub.eventsConnection,
      databaseUrl: server.url,
      workerId,
      ownershipMs: OWNERSHIP_MS,
      failingShare,
      seed: SEED,
    };
    const worker = startProgram(["test/support/ingest-child.ts", JSON.stringify(options)]);
    workers.push(worker);
    await firstLine(worker);
    return worker;
  };
  const feed = async (part: readonly Outgoing[]): Promise<void> => {
    const client = new EventHubProducerClient(hub.eventsConnection, { retryOptions: { retryDelayInMs: 100 } });
    for (const { body, contentType, partition } of part)
      await client.sendBatch([{ body, contentType }], { partitionId: partition });
    await client.close();
  };
  const stored = async (): Promise<number> => {
    const { rows } = await server.database.query<{ count: number }>(
      "SELECT count(*) FROM store.telemetry WHERE in_feed",
    );
    return rows[0]?.count ?? 0;
  };
  const grown = async (to: number): Promise<void> => {
    for (const endMs = performance.now() + 20_000; (await stored()) < to; ) {
      if (performance.now() > endMs) throw new Error(`${await stored()} documents, ${to} wanted`);
      await systemClock.sleep(50);
    }
  };

  const third = Math.floor(messages.length / 3);
  const [first] = await Promise.all([start("first", 0.1), start("second", 0.1), feed(messages.slice(0, third))]);
  await grown(1);
  const died = once(first, "close");
  first.kill("SIGKILL");
  await died;
  await feed(messages.slice(third, 2 * third));
  await hub.kill();
  await Promise.all([start("third", 0), hub.start()]);
  await feed(messages.slice(2 * third));
  // One more wants its share, and gets it.
  await start("fourth", 0.1);

  const wanted = identitiesOf(streams.flat());
  for (const endMs = performance.now() + 40_000; ; ) {
    const events = await feedEvents(store);
    if (events.length >= wanted.length) {
      expect(identitiesOf(events)).toEqual(wanted);
      const bySeq = (a: StoredEvent, b: StoredEvent) =>
        a.machineId < b.machineId ? -1 : a.machineId > b.machineId ? 1 : a.seq - b.seq;
      expect(events.toSorted(bySeq)).toEqual(streams.flat().toSorted(bySeq));
      break;
    }
    if (performance.now() > endMs) throw new Error(`${events.length} of ${wanted.length} events`);
    await systemClock.sleep(100);
  }
});
