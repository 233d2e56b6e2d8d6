import type { Clock } from "../../../../edge/kernel/clock.ts";
import type { EventStore } from "../../../store/event-store.ts";
import { type MetadataKind, metadataPartition } from "../../../store/metadata-document.ts";
import type { Person } from "../../access/access.ts";
import { Failure } from "../../http/failure.ts";
import { Commands } from "../commands.ts";
import { KINDS } from "../kinds/kinds.ts";
import { WWI_CRITERIA, WWI_FACTORIES } from "./wide-world-importers.ts";

const SEEDER: Person = { id: "seed", name: "first start", role: "administrator", kind: "token" };
const PRESS_TYPE = "press";

export interface SeedOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** typeName of the machines that the criteria are for. */
  readonly machineType?: string;
}

/**
 * Makes the customer's factories and criteria where they have never been: what was changed or deleted since stays as it is, however often
 * and however many start at once.
 * @returns how many were made now
 */
export async function seedMetadata({ store, clock, signal, machineType = PRESS_TYPE }: SeedOptions): Promise<number> {
  const seeds = seedsFor(machineType);
  const keys = seeds.map(({ kind, id }) => ({ partition: metadataPartition(kind, id), id: "state" }));
  const there = await store.get("metadata", keys, signal);
  const commands = new Commands(store, clock);
  let made = 0;
  for (const [index, { kind, id, data }] of seeds.entries()) {
    if (there[index] !== undefined) continue;
    try {
      await commands.create(KINDS[kind], { id, data }, { person: SEEDER, signal });
      made++;
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "EXISTS") throw error;
    }
  }
  return made;
}

function seedsFor(machineType: string): { kind: MetadataKind; id: string; data: unknown }[] {
  return [
    ...WWI_FACTORIES.map(({ id, name, city, latitude, longitude, since }) => ({
      kind: "factory" as const,
      id,
      data: { name, location: { city, latitude, longitude }, inServiceSince: since },
    })),
    ...WWI_CRITERIA.map(({ id, ...criterion }) => ({
      kind: "criterion" as const,
      id,
      data: { ...criterion, machineType },
    })),
  ];
}
