import { type TObject, Type } from "@fastify/type-provider-typebox";
import { closed } from "./kinds/fields.ts";
import type { Kind } from "./kinds/kind.ts";

export const IdParams = Type.Object({
  id: Type.String({ minLength: 1, description: "percent-encoded: redmond%2Fmill-07" }),
});

const key = Type.Optional(
  Type.String({
    pattern: "^[\\u0021-\\u007e]{1,200}$",
    description: "of one's own making: a request that comes again under it is not carried out again, for 24 hours",
  }),
);
export const CreateHeaders = Type.Object({ "idempotency-key": key });
export const ChangeHeaders = Type.Object({
  "idempotency-key": key,
  "if-match": Type.Optional(
    Type.String({ maxLength: 1_000, description: "ETag of the state that is changed; needed" }),
  ),
});

export function createBody({ data, isNamed }: Kind): TObject {
  const id = Type.String({
    minLength: 1,
    description: isNamed ? "what it is called everywhere" : "made when left out",
  });
  return Type.Object({ id: isNamed ? id : Type.Optional(id), data }, closed);
}

export function updateBody({ data }: Kind): TObject {
  return Type.Object({ data }, closed);
}

export function stateSchema({ kind, data }: Kind): TObject {
  return Type.Object({
    kind: Type.Literal(kind),
    id: Type.String(),
    factoryId: Type.String({ description: 'of what it is about; "" for nothing' }),
    machineId: Type.String(),
    version: Type.Integer({ minimum: 1 }),
    deleted: Type.Boolean(),
    data,
    createdAt: Type.String({ description: "ISO 8601, UTC" }),
    createdBy: Type.String(),
    changedAt: Type.String(),
    changedBy: Type.String(),
  });
}

export const FailureSchema = Type.Object({
  error: Type.String({ description: "a code" }),
  message: Type.String(),
  hint: Type.Union([Type.String(), Type.Null()]),
});
