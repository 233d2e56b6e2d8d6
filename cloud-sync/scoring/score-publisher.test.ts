import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { HubConsumer, type HubMessage } from "../../test/support/hub-consumer.ts";
import { HubProgram } from "../../test/support/hub-program.ts";
import { blocksOf, pressStream, store } from "../../test/support/press-telemetry.ts";
import { MODELS_FOLDER, openedOffice, scoresIn } from "../../test/support/running-scorer.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import type { StoredEvent } from "../contract/event.ts";
import { decodeEvents } from "../contract/frame/events-json.ts";
import { CloudScorer } from "./cloud-scorer.ts";

const identityOf = ({ epoch, machineId, seq }: StoredEvent): string => `${epoch} ${machineId} ${seq}`;

test("an Event Hub gets all that the models said, also what was said while it was away, and scoring never waits for it", async () => {
  const office = await openedOffice();
  await using hub = await new HubProgram(tempFolder(), [], ["--hub-name", "scored"]).start();
  const connectionString = hub.eventsConnection;
  const messages: HubMessage[] = [];
  await using consumer = new HubConsumer(connectionString, (message) => messages.push(message));
  consumer.start();
  const producer = { connectionString, eventHub: "scored" };
  const { database } = office;
  const logger = pino({ level: "silent" });
  const own = { ...office, producer, modelsFolder: MODELS_FOLDER, clock: systemClock, logger };
  const scorer = new CloudScorer(own);
  const ending = new AbortController();
  const running = scorer.run(ending.signal, () => undefined);

  const machines = ["redmond/press-01", "oslo/press-02"].map((machineId, i) =>
    pressStream(machineId, 600, { seed: i }),
  );
  await store(
    office.store,
    machines.flatMap((events) => blocksOf(events.slice(0, 300), 60)),
  );
  await until("the first scores arrive", () => messages.length > 10);
  await hub.kill();
  await store(
    office.store,
    machines.flatMap((events) => blocksOf(events.slice(300), 60)),
  );
  await until("scored without the hub", () => scorer.counts.documents === 20);
  await hub.start();
  const said = (await scoresIn(office)).map(identityOf);
  const arrived = (): StoredEvent[] => messages.flatMap(({ body }) => [...decodeEvents(body).events]);
  await until("all scores arrive", () => new Set(arrived().map(identityOf)).size === said.length);
  ending.abort();
  await running;
  expect([...new Set(arrived().map(identityOf))].sort()).toEqual(said.toSorted());
  expect(messages.every(({ contentType }) => contentType === "application/json")).toBe(true);
  expect(new Set(messages.map(({ properties }) => properties.machineId))).toEqual(
    new Set(["redmond/press-01", "oslo/press-02"]),
  );
  const { rows } = await database.query<{ documents: number }>(
    "SELECT sum(documents)::int AS documents FROM model.checkpoint WHERE projection = 'scoring-producer'",
  );
  expect(rows[0]?.documents).toBe(said.length);
});
