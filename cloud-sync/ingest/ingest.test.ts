import tls from "node:tls";
import { EventHubProducerClient } from "@azure/event-hubs";
import { Client, Message } from "azure-iot-device";
import { Mqtt } from "azure-iot-device-mqtt";
import { pino } from "pino";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { feedDocuments, feedEvents, identitiesOf } from "../../test/support/feed-events.ts";
import { type RunningLocalHub, runLocalHub } from "../../test/support/local-hub.ts";
import { machineStream } from "../../test/support/machine-streams.ts";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { ShakyStore } from "../../test/support/shaky-store.ts";
import { until } from "../../test/support/until.ts";
import { encodeBlock } from "../contract/block/block-builder.ts";
import { encodeFrame, FRAME_CONTENT_TYPE } from "../contract/frame/frame.ts";
import type { CommitResult, Container, EventStore, Transaction } from "../store/event-store.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { Ingest, type IngestOptions } from "./ingest.ts";
import { listQuarantine, removeQuarantine, replayQuarantine, showQuarantine } from "./quarantine-desk.ts";

const { signal } = new AbortController();
const logger = pino({ level: process.env.TAILSTOCK_TEST_LOG ?? "silent" });
let server: TestDatabase;
let store: EventStore;
beforeAll(async () => {
  server = await testDatabase();
  store = createPostgresEventStore({ database: server.database, clock: systemClock, logger });
  await store.ensure(signal);
});
afterAll(() => server[Symbol.asyncDispose]());

/** A worker in this process; ended with the test. */
function startIngest(eventsConnectionString: string, more: Partial<IngestOptions> = {}): Ingest & AsyncDisposable {
  const ingest = new Ingest({
    eventsConnectionString,
    consumerGroup: "$Default",
    workerId: "worker",
    store,
    database: server.database,
    clock: systemClock,
    logger,
    ownershipMs: 2_000,
    ...more,
  });
  const ending = new AbortController();
  const running = ingest.run(ending.signal, () => undefined);
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  onTestFinished(stop);
  return Object.assign(ingest, { [Symbol.asyncDispose]: stop });
}

async function deviceOf(hub: RunningLocalHub, id: string): Promise<Client> {
  const mqttPort = new URL(hub.local.addresses.mqtt).port;
  const own = hub.connections.devices[id]?.split(";").filter((part) => !part.startsWith("GatewayHostName=")) ?? [];
  const client = Client.fromConnectionString([...own, `GatewayHostName=localhost:${mqttPort}`].join(";"), Mqtt);
  client.on("error", () => undefined);
  onTestFinished(async () => {
    await client.close().catch(() => undefined);
  });
  await client.setOptions({ ca: hub.ca });
  await client.open();
  return client;
}

async function send(device: Client, body: string | Buffer, contentType?: string): Promise<void> {
  const message = new Message(body);
  // The type knows one content type; the hub takes any.
  if (contentType !== undefined) Object.assign(message, { contentType });
  message.properties.add("purpose", "a test");
  await device.sendEvent(message);
}

function frameOf(events: Parameters<typeof encodeBlock>[0]): Buffer {
  return encodeFrame([{ kind: "block", bytes: encodeBlock(events, new Uint8Array(16)) }]);
}

/** Never takes what is of a machine of this name. */
class PickyStore extends ShakyStore {
  readonly #name: string;
  constructor(inner: EventStore, name: string) {
    super(inner, { seed: 1, share: 0 });
    this.#name = name;
  }
  override async commit(
    container: Container,
    transactions: readonly Transaction[],
    stop: AbortSignal,
  ): Promise<readonly CommitResult[]> {
    if (transactions.some(({ partition }) => partition.stream === this.#name))
      throw new EdgeError("STORE_REFUSED", `it does not like ${this.#name}`);
    return super.commit(container, transactions, stop);
  }
}

test("P10 poison between good messages: it is set aside with its reason, nothing waits, and it can be put in again", async () => {
  const hub = await runLocalHub({ deviceIds: ["box", "press"] });
  const [box, press] = [await deviceOf(hub, "box"), await deviceOf(hub, "press")];
  const good = machineStream("redmond/mill-01", 30);
  const cursed = machineStream("redmond/cursed", 5);
  await send(box, frameOf(good.slice(0, 10)), FRAME_CONTENT_TYPE);
  await send(box, "TSFR but no frame", FRAME_CONTENT_TYPE);
  await send(box, frameOf(cursed), FRAME_CONTENT_TYPE);
  await send(box, frameOf(good.slice(10, 20)), FRAME_CONTENT_TYPE);
  await send(box, "<xml/>", "application/xml");
  await send(press, JSON.stringify({ factoryId: "austin", machine: { machineId: "p\0", temperature: 1 } }));
  await send(
    press,
    JSON.stringify({ factoryId: "austin", machine: { machineId: "p1", temperature: 55.5 }, ambient: {} }),
  );
  await send(box, frameOf(good.slice(20)), FRAME_CONTENT_TYPE);
  const ingest = startIngest(hub.connections.eventsPlain ?? "", { store: new PickyStore(store, "redmond/cursed") });
  await until("all messages", () => ingest.counts().messages >= 8);
  expect(ingest.counts()).toMatchObject({ events: 31, refused: 4, duplicates: 0 });

  const { messages, total } = await listQuarantine(server.database);
  expect(messages.map(({ deviceId, code }) => `${deviceId}: ${code}`).sort()).toEqual([
    "box: content-type",
    "box: store",
    "box: version",
    "press: name",
  ]);
  expect(total.messages).toBe(4);
  const refusedByStore = messages.find(({ code }) => code === "store");
  const content = await showQuarantine(server.database, refusedByStore?.id ?? 0);
  expect(Buffer.from(content.body ?? []).equals(frameOf(cursed))).toBe(true);
  expect(content.properties).toEqual({ purpose: "a test" });
  expect(content.systemProperties).toMatchObject({ "iothub-connection-device-id": "box" });

  const deps = { database: server.database, store, clock: systemClock };
  expect(await replayQuarantine(deps, "all", signal)).toEqual({ stored: 1, events: 5, refused: 3 });
  const events = (await feedEvents(store)).filter(({ epoch }) => !epoch.startsWith("iothub:"));
  expect(identitiesOf(events)).toEqual(identitiesOf([...good, ...cursed]));
  const foreign = (await feedDocuments(store)).find(({ fields }) => fields.machineId === "austin/p1");
  expect(foreign?.fields).toMatchObject({ factoryId: "austin", deviceId: "press", events: 1, samples: 1 });
  const rest = (await listQuarantine(server.database)).messages.map(({ id }) => id);
  await expect(showQuarantine(server.database, refusedByStore?.id ?? 0)).rejects.toThrow(/no message/);
  expect(await removeQuarantine(server.database, rest.slice(0, 1))).toBe(1);
  expect(await removeQuarantine(server.database, "all")).toBe(2);
  expect((await listQuarantine(server.database)).total).toEqual({
    messages: 0,
    bytes: 0,
    droppedMessages: 0,
    droppedBytes: 0,
  });
});

test("a hub that was made anew, or has lost a position, is read from its beginning, whatever the checkpoints say", async () => {
  const sendTo = async ({ connections }: RunningLocalHub, machineId: string, count: number): Promise<void> => {
    const client = new EventHubProducerClient(connections.eventsPlain ?? "", { retryOptions: { retryDelayInMs: 100 } });
    const bodies = Array.from({ length: count }, (_, value) => Buffer.from(JSON.stringify({ machineId, value })));
    for (const body of bodies)
      await client.sendBatch([{ body, contentType: "application/json" }], { partitionId: "1" });
    await client.close();
  };
  const countOf = async (machineId: string): Promise<number> =>
    (await feedDocuments(store)).filter(({ fields }) => fields.machineId === machineId).length;
  const old = await runLocalHub();
  await sendTo(old, "old", 5);
  {
    await using worker = startIngest(old.connections.eventsPlain ?? "");
    await until("the first messages", () => worker.counts().events === 5);
  }
  await old.stop();

  const anew = await runLocalHub();
  // Fewer than there were: the old position lies behind the end. And then more: it is there again, of other events.
  await sendTo(anew, "new", 3);
  {
    await using worker = startIngest(anew.connections.eventsPlain ?? "");
    await until("messages of the new hub", () => worker.counts().events === 3);
  }
  const { rowCount } = await server.database.query(
    "UPDATE app.events_checkpoint SET event_offset = '900', sequence_number = 900 WHERE partition_id = '1' AND sequence_number = 2",
  );
  expect(rowCount).toBe(1);
  await sendTo(anew, "newer", 4);
  // This one over TLS, with an authority of the hub's own.
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), anew.ca]);
  await using worker = startIngest(anew.connections.events ?? "");
  await until("messages behind the lost position", () => worker.counts().messages === 7);
  expect(worker.counts()).toMatchObject({ events: 4, duplicates: 3 });
  expect([await countOf("old"), await countOf("new"), await countOf("newer")]).toEqual([5, 3, 4]);
});
