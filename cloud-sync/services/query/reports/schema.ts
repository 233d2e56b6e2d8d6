import { type Static, Type } from "@fastify/type-provider-typebox";
import { Nullable } from "../schemas.ts";

const Bin = Type.Object({
  from: Type.Number({ description: "included" }),
  to: Type.Number({ description: "excluded, of the last bin included" }),
  all: Type.Number({ description: "readings" }),
  anomalous: Type.Number({ description: "of these, readings whose entity is anomalous" }),
});
const Statistics = Type.Object({
  count: Type.Number(),
  mean: Nullable(Type.Number()),
  sd: Nullable(Type.Number({ description: "sample standard deviation; null of fewer than two" })),
  minimum: Nullable(Type.Number()),
  maximum: Nullable(Type.Number()),
});
export type Statistics = Static<typeof Statistics>;

export const ElectricityReport = Type.Object({
  fromMs: Type.Number(),
  toMs: Type.Number(),
  signal: Type.String(),
  unit: Type.String(),
  by: Type.Union([Type.Literal("factory"), Type.Literal("machine")]),
  groups: Type.Array(
    Type.Object({
      group: Type.String({ description: "factory or machine id" }),
      all: Statistics,
      anomalous: Statistics,
      recorded: Type.Object({
        count: Type.Number({ description: "every reading of the span by the hourly roll-ups, entity or not" }),
        mean: Nullable(Type.Number()),
      }),
    }),
  ),
  total: Type.Object({ all: Statistics, anomalous: Statistics }),
  bins: Type.Array(Bin, { description: "distribution over all groups" }),
  truncated: Type.Boolean({ description: "there are more groups than are told" }),
});
export type ElectricityReport = Static<typeof ElectricityReport>;

const Moments = Type.Object({ mean: Nullable(Type.Number()), sd: Nullable(Type.Number()) });
export const ClassReport = Type.Object({
  fromMs: Type.Number(),
  toMs: Type.Number(),
  x: Type.Object({ signal: Type.String(), unit: Type.String() }),
  y: Type.Object({ signal: Type.String(), unit: Type.String() }),
  classes: Type.Array(
    Type.Object({
      requirement: Type.String(),
      count: Type.Number({ description: "predictions with both signals" }),
      outside: Type.Number({ description: "of these made of readings that the model was not trained on" }),
      x: Moments,
      y: Moments,
      points: Type.Array(Type.Tuple([Type.Number(), Type.Number()]), { description: "a sample of them: x, y" }),
    }),
  ),
  bounds: Nullable(Type.Object({ xMin: Type.Number(), xMax: Type.Number(), yMin: Type.Number(), yMax: Type.Number() })),
  sampled: Type.Boolean({ description: "points are fewer than were counted" }),
});
export type ClassReport = Static<typeof ClassReport>;
