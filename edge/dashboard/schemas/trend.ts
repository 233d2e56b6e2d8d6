import { type Static, Type } from "@fastify/type-provider-typebox";

export const Trend = Type.Object({
  machineId: Type.String(),
  fromMs: Type.Number(),
  toMs: Type.Number(),
  signals: Type.Array(
    Type.Object({
      name: Type.String(),
      timesMs: Type.Array(Type.Number()),
      values: Type.Array(Type.Union([Type.Number(), Type.Null()]), {
        description: "per time the value; null where the line breaks: nothing was measured, or the sample was Bad",
      }),
    }),
  ),
});
export type Trend = Static<typeof Trend>;
