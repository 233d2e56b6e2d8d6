import { type Static, Type } from "@fastify/type-provider-typebox";
import { LedgerTrouble } from "../ledger/schema.ts";
import { Count, Nullable, Time } from "../schemas.ts";

export const LineView = Type.Object({
  deviceId: Type.String(),
  connected: Type.Boolean(),
  enabled: Type.Boolean({ description: "false: the hub refuses this box" }),
  activeMs: Nullable(Time),
  seenMs: Type.Integer({ description: "when the hub was asked, UTC epoch ms" }),
  condition: Nullable(Type.String({ description: "what the box says of its line: sending, catching-up, cut, …" })),
  version: Nullable(Type.String()),
  backlogEvents: Nullable(Type.Number({ description: "events that wait at the box" })),
  lagSeconds: Nullable(Type.Number({ description: "age of the oldest that waits" })),
  drainSeconds: Nullable(Type.Number({ description: "until nothing waits, at the present rate" })),
  lastError: Nullable(Type.Object({ code: Type.String(), message: Type.String(), atMs: Nullable(Time) })),
});
export type LineView = Static<typeof LineView>;

export const LedgerSum = Type.Object({
  streams: Count,
  events: Type.Number({ description: "events that are here" }),
  samples: Type.Number({ description: "readings that are here" }),
  missing: Type.Number({ description: "events that are not here yet and may still come" }),
  lost: Type.Number({ description: "events that are gone for ever" }),
  thinned: Type.Number({ description: "events of which one-minute aggregates are left" }),
  troubles: Type.Array(LedgerTrouble, { description: "the streams that lack most, three at most" }),
});

export const FactoryView = Type.Object({
  factoryId: Type.String(),
  name: Type.String(),
  place: Nullable(Type.String()),
  machines: Type.Object({
    total: Count,
    byState: Type.Record(Type.String(), Count, {
      description:
        "running, idle, setup, fault, offline; disconnected: its link is down; unknown: nothing says its state",
    }),
    silent: Type.Integer({ description: "of these, without an event for ten minutes" }),
  }),
  alarms: Type.Array(Type.Object({ priority: Type.String(), unacknowledged: Count, active: Count }), {
    description: "the most urgent first",
  }),
  anomalies: Type.Object({ hour: Count, day: Count }),
  newestMs: Nullable(Type.Integer({ description: "time of the newest event, UTC epoch ms" })),
  ageSeconds: Nullable(Type.Number({ description: "its age when this was read" })),
  lines: Type.Array(LineView),
  ledger: LedgerSum,
});
export type FactoryView = Static<typeof FactoryView>;

export const Overview = Type.Object({ nowMs: Time, factories: Type.Array(FactoryView) });
export type Overview = Static<typeof Overview>;
