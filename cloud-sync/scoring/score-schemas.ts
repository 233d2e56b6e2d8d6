import { type Static, Type } from "typebox";

/** Rows of one request. */
export const ROWS_MAX = 10_000;

const closed = { additionalProperties: false } as const;

export const ScoreBody = Type.Object(
  {
    data: Type.Array(
      Type.Object(
        {
          Pressure: Type.Number({ description: "hydraulic pressure, psi" }),
          MachineTemperature: Type.Number({ description: "machine temperature, °C" }),
        },
        closed,
      ),
      { maxItems: ROWS_MAX },
    ),
  },
  closed,
);
export type ScoreBody = Static<typeof ScoreBody>;

export const ScoreQuery = Type.Object(
  {
    detail: Type.Optional(
      Type.Union([Type.Literal("true"), Type.Literal("false")], {
        description: "true: what the model says of each row, in place of its label alone",
      }),
    ),
  },
  closed,
);
export type ScoreQuery = Static<typeof ScoreQuery>;

const Share = Type.Number({ minimum: 0, maximum: 1 });

export const ScoreDetail = Type.Object({
  label: Type.Integer(),
  requirement: Type.String({ description: 'what is to be done; "none" when nothing is' }),
  outsideTraining: Type.Boolean({ description: "the model never saw such readings: the label is a guess" }),
  probability: Type.Union([Share, Type.Null()], { description: "of the label, calibrated; null outside training" }),
  probabilities: Type.Union(
    [Type.Array(Type.Object({ label: Type.Integer(), requirement: Type.String(), probability: Share })), Type.Null()],
    { description: "of all labels; null outside training" },
  ),
  message: Type.String(),
});
export type ScoreDetail = Static<typeof ScoreDetail>;

export const ScoreAnswer = Type.Union([Type.Array(Type.Integer(), { description: "labels" }), Type.Array(ScoreDetail)]);

export const ScoreFailure = Type.Object({
  error: Type.String(),
  message: Type.String(),
  hint: Type.Union([Type.String(), Type.Null()]),
});
