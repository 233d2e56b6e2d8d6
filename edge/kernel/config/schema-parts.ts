import { Type } from "typebox";

/** Building blocks of the file's shape. */
export const closed = { additionalProperties: false } as const;
export const DAY_MS = 86_400_000;

export function milliseconds(minimum: number, maximum: number, description: string, fallback: number) {
  return Type.Optional(
    Type.Integer({ minimum, maximum, default: fallback, description: `${description}, in milliseconds.` }),
  );
}

export function text(description: string, maxLength = 4096) {
  return Type.String({ minLength: 1, maxLength, description });
}
