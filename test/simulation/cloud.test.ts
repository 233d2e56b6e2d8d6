import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import type { EventLog } from "../../edge/log/event-log.ts";
import type { HubProgram } from "../support/hub-program.ts";
import { everyEvent } from "../support/log-checks.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { differences, dumpOfModels, eventsOfStore, readingsOfLake } from "./cloud-account.ts";
import { CLOUD_FAULT_KINDS, type CloudFaultKind, playCloudFaults } from "./cloud-faults.ts";
import { CloudWorkers } from "./cloud-workers.ts";
import { fingerprintOf } from "./factory-writer.ts";
import { type Beside, simulate } from "./simulate.ts";

// Goal: whatever happens to the line, the hub, the workers of the cloud and their database, the event store has in the end every event of
// the factory's log exactly once, read models and lake equal those of a run without faults, and the ledger says that nothing is missing.
// Method: a factory, an uplink, a line and a hub under the faults of faults.ts, so that messages come twice and out of order; two workers
// that share partitions and projections, and a third that comes and goes, under those of cloud-faults.ts; then the same hub is read once
// more by one worker in peace into another database, and everything is compared. For longer, with another seed:
//   TAILSTOCK_SIMULATE_MINUTES=60 TAILSTOCK_SIMULATE_SEED=$RANDOM npx vitest run test/simulation/cloud
const SECONDS = process.env.TAILSTOCK_SIMULATE_MINUTES ? Number(process.env.TAILSTOCK_SIMULATE_MINUTES) * 60 : 25;
const SEED = Number(process.env.TAILSTOCK_SIMULATE_SEED ?? 20_265);
const ENDING_MS = 180_000;
const SETTLE_MS_MAX = 90_000;
const LOOK_MS = 250;
/** Roll-ups gather for ten seconds, the lake for two. */
const FOLLOW_MS = 13_000;

test(`P02 P08 P10 P28 faults of seed ${SEED}: store, read models and lake equal those of a clean run`, {
  timeout: SECONDS * 1_000 + ENDING_MS,
}, async () => {
  await using faulty = await testDatabase();
  await using clean = await testDatabase();
  const cloud = new CloudBeside(tempFolder(), faulty, clean);
  const result = await simulate(tempFolder(), SEED, SECONDS * 1_000, cloud);
  expect(result.faults.slice(0, 20)).toEqual([]);
  expect([...new Set(cloud.played)].sort()).toEqual([...CLOUD_FAULT_KINDS].sort());
  expect(result.events).toBeGreaterThan(SECONDS * 8);
});

class CloudBeside implements Beside {
  readonly consumerGroups = ["faulty", "clean"];
  played: readonly CloudFaultKind[] = [];
  readonly #folder: string;
  readonly #faulty: TestDatabase;
  readonly #clean: TestDatabase;
  readonly #ending = new AbortController();
  #playing: Promise<CloudFaultKind[]> = Promise.resolve([]);
  #line: TcpProxy | undefined;
  #workers: CloudWorkers | undefined;

  constructor(folder: string, faulty: TestDatabase, clean: TestDatabase) {
    this.#folder = folder;
    this.#faulty = faulty;
    this.#clean = clean;
  }

  async begin(hub: HubProgram): Promise<void> {
    const address = new URL(this.#faulty.url);
    this.#line = await new TcpProxy(Number(address.port)).listen();
    address.port = String(this.#line.port);
    this.#workers = this.#workersOf(hub, "faulty", address.href);
    await Promise.all([this.#workers.start(1), this.#workers.start(2)]);
    this.#playing = playCloudFaults(SEED, this.#workers, this.#line, this.#ending.signal);
  }

  async end(hub: HubProgram, log: EventLog): Promise<readonly string[]> {
    this.#ending.abort();
    this.played = await this.#playing;
    await using calm = this.#workersOf(hub, "clean", this.#clean.url);
    await calm.start(1);
    const expected = everyEvent(log).length;
    const faults: string[] = [];
    for (const [name, { database }] of [["after faults", this.#faulty] as const, ["clean", this.#clean] as const])
      faults.push(...(await settled(name, database, expected)));
    await this.#workers?.[Symbol.asyncDispose]();
    await calm[Symbol.asyncDispose]();
    await this.#line?.[Symbol.asyncDispose]();
    return [...faults, ...(await this.#compare(log, calm.lakeFolder))];
  }

  #workersOf(hub: HubProgram, consumerGroup: string, databaseUrl: string): CloudWorkers {
    const folder = join(this.#folder, consumerGroup);
    return new CloudWorkers({ folder, consumerGroup, databaseUrl, eventsConnection: hub.eventsConnection });
  }

  async #compare(log: EventLog, cleanLake: string): Promise<string[]> {
    const faults: string[] = [];
    const expected = new Map(everyEvent(log).map((event) => [idOf(event), fingerprintOf(event)]));
    const logger = pino({ level: "silent" });
    await using store = createPostgresEventStore({ database: this.#faulty.database, clock: systemClock, logger });
    const seen = new Set<string>();
    for (const event of await eventsOfStore(store)) {
      const id = idOf(event);
      if (seen.has(id)) faults.push(`${id} is in the store twice`);
      seen.add(id);
      if (expected.get(id) !== fingerprintOf(event)) faults.push(`${id} is in the store as something else`);
    }
    for (const id of expected.keys()) if (!seen.has(id)) faults.push(`${id} is not in the store`);
    const [afterFaults, afterPeace] = [
      await dumpOfModels(this.#faulty.database),
      await dumpOfModels(this.#clean.database),
    ];
    faults.push(...differences(afterPeace, afterFaults));
    const missing = await this.#faulty.database.query<{ missing: number }>(
      "SELECT coalesce(sum(missing), 0)::int AS missing FROM model.ledger_stream",
    );
    if (missing.rows[0]?.missing !== 0) faults.push(`the ledger misses ${missing.rows[0]?.missing} events`);
    const lakes = [
      await readingsOfLake(join(this.#folder, "faulty", "lake")),
      await readingsOfLake(cleanLake),
    ] as const;
    const samples = everyEvent(log, ["telemetry"]).reduce(
      (sum, { data }) => sum + (data as { samples: readonly unknown[] }).samples.length,
      0,
    );
    if (lakes[0].rows !== samples) faults.push(`the lake has ${lakes[0].rows} readings, ${samples} there were`);
    if (lakes[0].sum !== lakes[1].sum) faults.push("the readings of the two lakes are not the same");
    return faults;
  }
}

function idOf({ epoch, machineId, seq }: { epoch: string; machineId: string; seq: number }): string {
  return `${epoch}/${machineId}/${seq}`;
}

/** Waits until the ledger counts as many events as there were, and gives the other read models and the lake their time to follow. */
async function settled(name: string, database: TestDatabase["database"], expected: number): Promise<string[]> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  let events = 0;
  while (performance.now() < deadline) {
    const { rows } = await database.query<{ events: number }>(
      "SELECT coalesce(sum(events), 0)::int AS events FROM model.ledger_stream",
    );
    events = rows[0]?.events ?? 0;
    if (events === expected) {
      await delay(FOLLOW_MS);
      return [];
    }
    await delay(LOOK_MS);
  }
  return [`${name}: ${events} of ${expected} events are counted`];
}
