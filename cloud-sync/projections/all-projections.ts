import type { Clock } from "../../edge/kernel/clock.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { Database } from "../database/database.ts";
import type { Container, EventStore } from "../store/event-store.ts";
import { Alarms } from "./events/alarm.ts";
import { Anomalies } from "./events/anomaly.ts";
import { EntityEvents } from "./events/entity-event.ts";
import { Predictions } from "./events/prediction.ts";
import { Ledger } from "./ledger/ledger.ts";
import { MachineLatest } from "./machine-latest/machine-latest.ts";
import { Metadata } from "./metadata.ts";
import type { Projection } from "./projection.ts";
import { Rollups } from "./rollups/rollups.ts";
import { SignalSets } from "./state/signal-sets.ts";

interface Parts {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly sets: SignalSets;
}

const MAKERS: Readonly<Record<string, { readonly containers: readonly Container[]; make(parts: Parts): Projection }>> =
  {
    machine_latest: { containers: ["telemetry"], make: ({ sets }) => new MachineLatest(sets) },
    rollups: { containers: ["telemetry"], make: ({ sets, clock }) => new Rollups(sets, clock) },
    entity_event: {
      containers: ["telemetry", "scored_telemetry"],
      make: ({ store, clock }) => new EntityEvents(store, clock),
    },
    anomaly: { containers: ["telemetry", "scored_telemetry"], make: () => new Anomalies() },
    alarm: { containers: ["telemetry"], make: () => new Alarms() },
    prediction: { containers: ["telemetry", "scored_telemetry"], make: () => new Predictions() },
    ledger: { containers: ["telemetry"], make: () => new Ledger() },
    metadata: { containers: ["metadata"], make: () => new Metadata() },
  };

/** machine_latest, rollups, … */
export const PROJECTION_NAMES: readonly string[] = Object.keys(MAKERS);

export function projectionContainers(name: string): readonly Container[] {
  return MAKERS[name]?.containers ?? [];
}

/** @throws EdgeError USAGE when there is no projection of a name */
export function createProjections({
  store,
  database,
  clock = systemClock,
  projections = PROJECTION_NAMES,
}: {
  readonly store: EventStore;
  readonly database: Database;
  readonly clock?: Clock;
  readonly projections?: readonly string[];
}): Projection[] {
  const parts = { store, clock, sets: new SignalSets(database) };
  return projections.map((name) => {
    const maker = MAKERS[name];
    if (maker === undefined)
      throw new EdgeError("USAGE", `there is no projection ${name}`, {
        hint: `There are: ${PROJECTION_NAMES.join(", ")}.`,
      });
    return maker.make(parts);
  });
}
