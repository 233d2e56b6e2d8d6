import { type Static, Type } from "@fastify/type-provider-typebox";
import { Nullable } from "../schemas.ts";

export const TrendSeries = Type.Object({
  machineId: Type.String(),
  signal: Type.String(),
  title: Type.String(),
  unit: Type.String(),
  known: Type.Boolean({ description: "false: no factory has sent this signal of this machine" }),
  timesMs: Type.Array(Type.Number(), {
    description: "begin of each bucket that has readings, UTC epoch ms, ascending",
  }),
  means: Type.Array(Type.Number()),
  minima: Type.Array(Type.Number()),
  maxima: Type.Array(Type.Number()),
  counts: Type.Array(Type.Number(), { description: "readings of the bucket" }),
  thinned: Type.Array(Type.Integer(), {
    description: "indices of buckets that stand on aggregates of the box alone: their readings are not all here",
  }),
  bad: Type.Number({ description: "readings of the span whose status is Bad; they are in no bucket" }),
  holds: Type.Boolean({ description: "the signal is subscribed: it keeps its value until the next reading" }),
  intervalMs: Nullable(Type.Number()),
});
export type TrendSeries = Static<typeof TrendSeries>;

export const Trend = Type.Object({
  fromMs: Type.Number(),
  toMs: Type.Number(),
  bucketMs: Type.Number({ description: "length of a bucket" }),
  source: Type.Union([Type.Literal("minutes"), Type.Literal("hours")]),
  series: Type.Array(TrendSeries),
});
export type Trend = Static<typeof Trend>;
