import { type Static, type TSchema, Type } from "@fastify/type-provider-typebox";

/** Clients write null for what they leave out. */
export const Maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
const Key = Maybe(Type.String({ maxLength: 128 }));

export const DeviceParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) });
export const ModuleParams = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 128 }),
  moduleId: Type.String({ minLength: 1, maxLength: 128 }),
});

const AuthenticationBody = Type.Object({
  type: Maybe(Type.String()),
  symmetricKey: Maybe(Type.Object({ primaryKey: Key, secondaryKey: Key })),
  x509Thumbprint: Maybe(Type.Object({ primaryThumbprint: Key, secondaryThumbprint: Key })),
});

/** What of an identity a service may write. More may be there (clients send back what they read) and is left out of account. */
export const IdentityBody = Type.Object({
  deviceId: Maybe(Type.String()),
  moduleId: Maybe(Type.String()),
  status: Maybe(Type.Union([Type.Literal("enabled"), Type.Literal("disabled")])),
  statusReason: Maybe(Type.String({ maxLength: 128 })),
  authentication: Maybe(AuthenticationBody),
  capabilities: Maybe(Type.Object({ iotEdge: Type.Optional(Type.Boolean()) })),
  deviceScope: Maybe(Type.String({ maxLength: 256 })),
  parentScopes: Maybe(Type.Array(Type.String({ maxLength: 256 }), { maxItems: 1 })),
  managedBy: Maybe(Type.String({ maxLength: 128 })),
});
export type IdentityBody = Static<typeof IdentityBody>;

export const BulkItem = Type.Intersect([
  IdentityBody,
  Type.Object({
    id: Type.String({ minLength: 1, maxLength: 128 }),
    importMode: Maybe(Type.String()),
    eTag: Maybe(Type.String()),
    etag: Maybe(Type.String()),
    twinETag: Maybe(Type.String()),
    tags: Maybe(Type.Unsafe<Record<string, unknown>>(Type.Object({}))),
    properties: Maybe(Type.Object({ desired: Maybe(Type.Unsafe<Record<string, unknown>>(Type.Object({}))) })),
  }),
]);
export type BulkItem = Static<typeof BulkItem>;
