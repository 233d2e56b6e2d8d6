import { Type } from "@fastify/type-provider-typebox";
import type { Json, JsonMap } from "../../ports.ts";

/** Any JSON value, as it came. */
export const AnyJson = Type.Unsafe<Json>({});
export const AnyMap = Type.Unsafe<JsonMap>({ type: "object" });
/** Null takes all of it away. */
export const MapOrNull = Type.Optional(Type.Unsafe<JsonMap | null>({ type: ["object", "null"] }));
