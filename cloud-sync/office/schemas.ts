import { Type } from "@fastify/type-provider-typebox";
import { ROLES, type Role } from "../services/access/access.ts";

export const closed = { additionalProperties: false } as const;
const NAME_CHARACTERS_MAX = 256;
const PASSWORD_CHARACTERS_MAX = 1_024;

export const RoleSchema = Type.Unsafe<Role>(Type.Union(ROLES.map((role) => Type.Literal(role))));
export const Name = Type.String({ minLength: 1, maxLength: NAME_CHARACTERS_MAX });
export const Password = Type.String({ minLength: 1, maxLength: PASSWORD_CHARACTERS_MAX });
export const NullableText = Type.Union([Type.String(), Type.Null()]);

export const PersonSchema = Type.Object({
  id: Type.String(),
  name: Type.String({ description: "stands as author in events" }),
  role: RoleSchema,
  kind: Type.Union([Type.Literal("local"), Type.Literal("oidc"), Type.Literal("token")]),
  factoryId: Type.Optional(Type.String()),
});
export const SessionSchema = Type.Object({
  person: PersonSchema,
  csrf: Type.String({ description: "goes with every change, as header x-csrf-token; of no use to a token" }),
  oidc: Type.Boolean({ description: "GET /api/session/oidc leads to the company's login" }),
});
export const AccountSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: RoleSchema,
  disabled: Type.Boolean(),
  createdAt: Type.String(),
  changedAt: Type.String(),
  changedBy: Type.String(),
});
export const TokenSchema = Type.Object({
  name: Type.String(),
  role: RoleSchema,
  factoryId: NullableText,
  createdAt: Type.String(),
  createdBy: Type.String(),
  expiresAt: NullableText,
  lastUsedAt: NullableText,
});
