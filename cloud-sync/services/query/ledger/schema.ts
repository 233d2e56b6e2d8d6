import { type Static, Type } from "@fastify/type-provider-typebox";
import { PageOf, Time } from "../schemas.ts";

export const LedgerRangeView = Type.Object({
  firstSeq: Type.Number(),
  lastSeq: Type.Number({ description: "included" }),
  state: Type.Union([Type.Literal("missing"), Type.Literal("lost"), Type.Literal("thinned")]),
  cause: Type.String({ description: "why, in the words of the box; empty of what is missing" }),
});
export type LedgerRangeView = Static<typeof LedgerRangeView>;

const trouble = {
  machineId: Type.String(),
  epoch: Type.String(),
  missing: Type.Number(),
  lost: Type.Number(),
  thinned: Type.Number(),
  ranges: Type.Array(LedgerRangeView),
  moreRanges: Type.Boolean({ description: "there are more ranges than are told" }),
};
export const LedgerTrouble = Type.Object(trouble);
export type LedgerTrouble = Static<typeof LedgerTrouble>;

export const LedgerStream = Type.Object({
  ...trouble,
  factoryId: Type.String(),
  numbered: Type.Boolean({ description: "false: a device of another make, whose numbers have holes" }),
  firstSeq: Type.Number(),
  lastSeq: Type.Number(),
  events: Type.Number(),
  samples: Type.Number(),
  firstMs: Time,
  lastMs: Time,
});
export type LedgerStream = Static<typeof LedgerStream>;
export const LedgerPage = PageOf(LedgerStream);
export type LedgerPage = Static<typeof LedgerPage>;

export const LedgerSums = Type.Object({
  factories: Type.Array(
    Type.Object({
      factoryId: Type.String(),
      streams: Type.Number(),
      events: Type.Number(),
      samples: Type.Number(),
      missing: Type.Number(),
      lost: Type.Number(),
      thinned: Type.Number(),
    }),
  ),
});
export type LedgerSums = Static<typeof LedgerSums>;
