import { type Static, Type } from "@fastify/type-provider-typebox";
import { Nullable, PageOf, Time } from "../schemas.ts";

export const NeedView = Type.Object(
  {
    requirement: Type.String({ description: 'what is to be done; "none": nothing' }),
    probability: Nullable(Type.Number({ description: "0 to 1" })),
    remainingHours: Nullable(Type.Number()),
    remainingHoursLow: Nullable(Type.Number()),
    remainingHoursHigh: Nullable(Type.Number()),
    outsideTraining: Type.Boolean({ description: "the model was not trained on such readings: a guess" }),
    message: Type.String(),
    model: Type.String({ description: "name@version" }),
    atMs: Time,
  },
  { description: "of the newest word of each model the most urgent" },
);
export type NeedView = Static<typeof NeedView>;

const summary = {
  machineId: Type.String(),
  factoryId: Type.String(),
  name: Type.String(),
  typeName: Nullable(Type.String()),
  deviceId: Type.String({ description: "the box that sends it" }),
  state: Type.String({
    description:
      "running, idle, setup, fault, offline; disconnected: its link is down; unknown: nothing says its state",
  }),
  stateMs: Nullable(Type.Integer({ description: "since when, UTC epoch ms" })),
  linkDetail: Nullable(Type.String()),
  newestMs: Type.Integer({ description: "time of its newest event, UTC epoch ms" }),
  need: Nullable(NeedView),
};
export const MachineView = Type.Object(summary);
export type MachineView = Static<typeof MachineView>;
export const MachinePage = PageOf(MachineView);
export type MachinePage = Static<typeof MachinePage>;

export const SignalView = Type.Object({
  name: Type.String(),
  title: Type.String(),
  unit: Type.String(),
  type: Nullable(Type.String()),
  intervalMs: Nullable(Type.Number({ description: "between two readings, as configured" })),
  value: Type.Unknown({ description: "number, boolean, text or list; null: no usable value" }),
  statusCode: Nullable(Type.Number({ description: "OPC UA status code" })),
  sourceMs: Nullable(Type.Number({ description: "by the source's clock, UTC epoch ms" })),
  receivedMs: Nullable(Type.Number({ description: "by the box's clock, UTC epoch ms" })),
});
export type SignalView = Static<typeof SignalView>;

export const MachineDetail = Type.Object({
  ...summary,
  removed: Type.Boolean({ description: "no longer in the factory's configuration" }),
  enqueuedMs: Type.Integer({ description: "when the hub took its newest event, UTC epoch ms" }),
  epoch: Type.String(),
  seq: Type.Number(),
  nowMs: Time,
  signals: Type.Array(SignalView),
});
export type MachineDetail = Static<typeof MachineDetail>;
