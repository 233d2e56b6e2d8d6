import { type Static, Type } from "@fastify/type-provider-typebox";
import { Nullable, PageOf, Time } from "../schemas.ts";

export const GROUPS = ["window", "requirement", "factory", "machine"] as const;
export type Group = (typeof GROUPS)[number];

export const AggregateView = Type.Object({
  windowMs: Nullable(Type.Integer({ description: "begin of the window, UTC epoch ms; null: not grouped by it" })),
  requirement: Nullable(Type.String()),
  factoryId: Nullable(Type.String()),
  machineId: Nullable(Type.String()),
  predictions: Type.Number(),
  outside: Type.Number({ description: "of these made of readings that the model was not trained on" }),
  machines: Type.Number({ description: "how many machines they are about" }),
  firstMs: Time,
  lastMs: Time,
});
export type AggregateView = Static<typeof AggregateView>;
export const AggregatePage = PageOf(AggregateView);
export type AggregatePage = Static<typeof AggregatePage>;
