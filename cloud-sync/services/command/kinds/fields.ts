import { type TSchema, Type } from "@fastify/type-provider-typebox";
import { Failure } from "../../http/failure.ts";

/** Longest machine id that ingest takes, in characters; ids of factories are shorter. */
const ID_CHARACTERS_MAX = 512;
/** No control characters: NUL can't be stored, the others can't be seen. */
const LINE = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$";
const LINES = "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*$";
const DATE = "^\\d{4}-\\d{2}-\\d{2}$";
const YEAR_MIN = 1900;
const YEAR_MAX = 2200;

export const closed = { additionalProperties: false } as const;

export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** Left out and null are the same, and stored as null. */
export const Maybe = <T extends TSchema>(schema: T) => Type.Optional(Nullable(schema));
export const Line = (description: string, maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: LINE, description });
export const Lines = (description: string, maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: LINES, description });
export const Id = (description: string) => Line(description, ID_CHARACTERS_MAX);
export const Day = (description: string) => Type.String({ pattern: DATE, description: `${description}, YYYY-MM-DD` });

/** @throws Failure 400 for a day that no calendar has */
export function checkDay(value: string | null | undefined, field: string): void {
  if (value === null || value === undefined) return;
  const day = new Date(`${value}T00:00:00Z`);
  const year = day.getUTCFullYear();
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== value || year < YEAR_MIN || year > YEAR_MAX)
    throw new Failure(
      400,
      "REQUEST_INVALID",
      `data.${field} is no day of the calendar between ${YEAR_MIN} and ${YEAR_MAX}`,
    );
}

/** @throws Failure 400 for text that no store can keep: half a surrogate pair */
export function checkText(value: unknown, path: string): void {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new Failure(400, "REQUEST_INVALID", `${path} holds half a character`);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    checkText(key, path);
    checkText(each, `${path}.${key}`);
  }
}
