import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../../../edge/kernel/clock.ts";
import { testDatabase } from "../../../../test/support/postgres.ts";
import { metadataPartition } from "../../../store/metadata-document.ts";
import { createPostgresEventStore } from "../../../store/postgres/postgres-event-store.ts";
import { Commands } from "../commands.ts";
import { KINDS } from "../kinds/kinds.ts";
import { seedMetadata } from "./seed-metadata.ts";
import { WWI_CRITERIA, WWI_FACTORIES } from "./wide-world-importers.ts";

test("however often it starts, and however many at once, each is made once; what people changed stays", async () => {
  await using server = await testDatabase();
  const signal = new AbortController().signal;
  const store = createPostgresEventStore({
    database: server.database,
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  await store.ensure(signal);
  const options = { store, clock: systemClock, signal };
  const made = await Promise.all(Array.from({ length: 10 }, () => seedMetadata(options)));
  expect(made.reduce((sum, count) => sum + count, 0)).toBe(11);
  const commands = new Commands(store, systemClock);
  const asked = {
    person: { id: "a", name: "Anna", role: "administrator", kind: "local" } as const,
    ifMatch: '"v1"',
    signal,
  };
  await commands.remove(KINDS.factory, "pune", asked);
  for (let starts = 0; starts < 90; starts++) expect(await seedMetadata(options)).toBe(0);
  const ids = [
    ...WWI_FACTORIES.map(({ id }) => ["factory", id] as const),
    ...WWI_CRITERIA.map(({ id }) => ["criterion", id] as const),
  ];
  for (const [kind, id] of ids) {
    const documents = await store.range("metadata", metadataPartition(kind, id), { limit: 10 }, signal);
    expect([id, documents.length]).toEqual([id, id === "pune" ? 3 : 2]);
  }
  expect((await commands.get(KINDS.factory, "pune", asked)).deleted).toBe(true);
});

// The rule of the customer's records (pressure, temperature → label), on and beside each of its limits.
test.each([
  [7475, 90, 0],
  [7600, 20, 0],
  [7474, 69, 1],
  [7470, 69, 1],
  [7601, 50, 2],
  [7601, 69.9, 2],
  [7800, 30, 3],
  [7474, 70, 4],
  [7601, 70, 5],
])("pressure %d psi and %d °C are for criterion %d alone", (machinePressure, machineTemperature, label) => {
  const values: Readonly<Record<string, number>> = { machinePressure, machineTemperature };
  type Limits = { signal: string; atLeast?: number; above?: number; atMost?: number; below?: number };
  const holds = ({ signal, atLeast = -Infinity, above = -Infinity, atMost = Infinity, below = Infinity }: Limits) => {
    const value = values[signal] ?? Number.NaN;
    return value >= atLeast && value > above && value <= atMost && value < below;
  };
  const held = WWI_CRITERIA.filter(({ thresholds }) => (thresholds as readonly Limits[]).every(holds));
  expect(held.map((criterion) => criterion.label)).toEqual([label]);
});
