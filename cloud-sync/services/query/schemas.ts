import { type Static, type TSchema, Type } from "@fastify/type-provider-typebox";

/** Longest machine id that ingest takes, in characters. */
export const ID_LENGTH_MAX = 512;
export const PAGE_ROWS_MAX = 500;
const CURSOR_LENGTH_MAX = 8_000;
/** Year 9999; PostgreSQL and JavaScript both know it. */
const TIME_MS_MAX = 253_402_300_799_999;

export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const oneOf = <T extends string>(words: readonly T[], options: { description?: string; default?: T } = {}) =>
  Type.Union(
    words.map((word) => Type.Literal(word)),
    options,
  );

export const Id = (description: string) => Type.String({ minLength: 1, maxLength: ID_LENGTH_MAX, description });
export const TimeMs = (description: string) => Type.Integer({ minimum: 0, maximum: TIME_MS_MAX, description });
export const Time = Type.Integer({ description: "UTC epoch ms" });
export const Count = Type.Integer({ minimum: 0 });

/** Parameters that every list has. */
export const paging = {
  limit: Type.Integer({ minimum: 1, maximum: PAGE_ROWS_MAX, default: 100, description: "rows of a page" }),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: CURSOR_LENGTH_MAX, description: "nextCursor of the page before" }),
  ),
};
export const span = {
  fromMs: Type.Optional(TimeMs("UTC epoch ms, included")),
  toMs: Type.Optional(TimeMs("UTC epoch ms, excluded")),
};
export const where = {
  factory: Type.Optional(Id("only this factory")),
  machine: Type.Optional(Id("only this machine")),
};

export const Query = <T extends Record<string, TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });

export const PageOf = <T extends TSchema>(row: T) =>
  Type.Object({
    rows: Type.Array(row),
    nextCursor: Nullable(Type.String({ description: "null: this is the last page" })),
  });

export const Failure = Type.Object({
  error: Type.String({ description: "a code" }),
  message: Type.String(),
  hint: Nullable(Type.String()),
});
export type Failure = Static<typeof Failure>;

/** What any route may answer instead. */
export const failures = { 400: Failure, 401: Failure, 403: Failure, 503: Failure };
