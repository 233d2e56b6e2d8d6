import { type Static, Type } from "@fastify/type-provider-typebox";
import { Nullable, PageOf, Time } from "../schemas.ts";

const common = { machineId: Type.String(), factoryId: Type.String() };
const model = {
  model: Type.String({ description: "name@version" }),
  scoredBy: Type.Union([Type.Literal("edge"), Type.Literal("cloud")]),
};

export const EntityEventView = Type.Object({
  ...common,
  id: Type.String(),
  entityType: Type.String(),
  entityId: Type.String({ description: "assigned once, kept by every event that derives from it" }),
  eventType: Type.String({ description: "Telemetry Ingest, Maintenance Prediction, Spike Anomaly, …" }),
  atMs: Time,
  epoch: Type.String(),
  seq: Type.Number(),
  causedBy: Nullable(Type.String({ description: "epoch/machineId/seq" })),
  data: Type.Unknown(),
});
export type EntityEventView = Static<typeof EntityEventView>;
export const EntityEventPage = PageOf(EntityEventView);
export type EntityEventPage = Static<typeof EntityEventPage>;

export const AnomalyView = Type.Object({
  ...common,
  id: Type.String(),
  entityId: Type.String(),
  atMs: Time,
  kind: Type.String(),
  signal: Nullable(Type.String({ description: "null: of the machine as a whole" })),
  value: Nullable(Type.Number()),
  score: Nullable(Type.Number()),
  threshold: Nullable(Type.Number()),
  expectedLow: Nullable(Type.Number()),
  expectedHigh: Nullable(Type.Number()),
  message: Type.String(),
  ...model,
});
export type AnomalyView = Static<typeof AnomalyView>;
export const AnomalyPage = PageOf(AnomalyView);
export type AnomalyPage = Static<typeof AnomalyPage>;

export const AlarmView = Type.Object({
  ...common,
  alarmId: Type.String(),
  source: Type.String(),
  signal: Nullable(Type.String()),
  priority: Type.String(),
  state: Type.String({ description: "ISA-18.2" }),
  message: Type.String(),
  raisedMs: Time,
  changedMs: Time,
  acknowledgedBy: Nullable(Type.String()),
  occurrences: Type.Number(),
});
export type AlarmView = Static<typeof AlarmView>;
export const AlarmPage = PageOf(AlarmView);
export type AlarmPage = Static<typeof AlarmPage>;

export const PredictionView = Type.Object({
  ...common,
  id: Type.String(),
  entityId: Type.String(),
  atMs: Time,
  requirement: Type.String({ description: '"none": nothing is to be done' }),
  probability: Nullable(Type.Number({ description: "0 to 1" })),
  remainingHours: Nullable(Type.Number()),
  remainingHoursLow: Nullable(Type.Number()),
  remainingHoursHigh: Nullable(Type.Number()),
  outsideTraining: Type.Boolean(),
  signals: Type.Unknown({ description: "what drove it: signal, value, weight, the strongest first" }),
  message: Type.String(),
  ...model,
});
export type PredictionView = Static<typeof PredictionView>;
export const PredictionPage = PageOf(PredictionView);
export type PredictionPage = Static<typeof PredictionPage>;
