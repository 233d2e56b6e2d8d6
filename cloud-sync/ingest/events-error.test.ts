import { PassThrough } from "node:stream";
import { EventHubProducerClient } from "@azure/event-hubs";
import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { freePort } from "../../edge/kernel/free-port.ts";
import { runLocalHub } from "../../test/support/local-hub.ts";
import { testDatabase } from "../../test/support/postgres.ts";
import { until } from "../../test/support/until.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { eventsFaultOf } from "./events-error.ts";
import { Ingest } from "./ingest.ts";

const coded = (code: string): Error => Object.assign(new Error(`because of ${code}`), { code });

test("what counts of an aggregate of aggregates is the error that says most", () => {
  const nested = (error: Error): Error =>
    new AggregateError([coded("OperationTimeoutError"), new AggregateError([error])]);
  expect(eventsFaultOf(nested(coded("ReceiverDisconnectedError"))).kind).toBe("stolen");
  expect(eventsFaultOf(nested(coded("ArgumentOutOfRangeError"))).kind).toBe("position");
  const codeOf = (error: Error): string | undefined => {
    const fault = eventsFaultOf(error);
    return fault.kind === "failed" ? fault.error.code : undefined;
  };
  expect(codeOf(nested(coded("UnauthorizedError")))).toBe("EVENTS_IDENTITY");
  expect(codeOf(nested(coded("ServiceCommunicationError")))).toBe("EVENTS_UNREACHABLE");
  expect(codeOf(nested(new EdgeError("DATABASE_UNAVAILABLE", "gone")))).toBe("DATABASE_UNAVAILABLE");
  const endless: { cause?: unknown } & Error = new Error("round");
  endless.cause = endless;
  expect(codeOf(endless)).toBe("EVENTS_UNREACHABLE");
});

test("a wrong key and a hub that is not there are told once, each as what it is; what comes after is read", async () => {
  const hub = await runLocalHub();
  await using server = await testDatabase();
  const lines: { readonly level: number; readonly msg: string; readonly err?: { readonly code?: string } }[] = [];
  const stream = new PassThrough().on("data", (chunk: Buffer) => {
    for (const line of chunk.toString().split("\n")) if (line !== "") lines.push(JSON.parse(line));
  });
  const logger = pino({ level: "info" }, stream);
  const store = createPostgresEventStore({ database: server.database, clock: systemClock, logger });
  await store.ensure(new AbortController().signal);
  const good = hub.connections.eventsPlain ?? "";
  const watched = async (eventsConnectionString: string, done: (ingest: Ingest) => boolean): Promise<void> => {
    const ending = new AbortController();
    const shared = { store, database: server.database, clock: systemClock, logger, consumerGroup: "$Default" };
    const ingest = new Ingest({ ...shared, eventsConnectionString, workerId: "w", ownershipMs: 2_000 });
    const running = ingest.run(ending.signal, () => undefined);
    await until("what was wanted", () => done(ingest), 30_000).finally(() => ending.abort());
    await running;
  };
  const told = (code: string): number => lines.filter(({ level, err }) => level === 40 && err?.code === code).length;
  await watched(good.replace(/SharedAccessKey=[^;]+/, "SharedAccessKey=d3Jvbmc="), () => told("EVENTS_IDENTITY") > 0);
  await watched(good.replace(/:\d+\//, `:${await freePort()}/`), () => told("EVENTS_UNREACHABLE") > 0);
  expect([told("EVENTS_IDENTITY"), told("EVENTS_UNREACHABLE")]).toEqual([1, 1]);
  const client = new EventHubProducerClient(good);
  await client.sendBatch([{ body: Buffer.from('{"machineId":"m","x":1}'), contentType: "application/json" }]);
  await client.close();
  await watched(good, (ingest) => ingest.counts().events === 1);
});
