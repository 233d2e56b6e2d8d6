import {
  AttributeIds,
  coerceNodeId,
  ReadRequest,
  type ReadResponse,
  TimestampsToReturn,
  VariableIds,
} from "node-opcua-client";
import { EdgeError } from "../../kernel/errors.ts";
import type { OpcuaLink } from "./link.ts";
import { SESSION_GONE, ServiceStatus } from "./services.ts";

/** Operations in one call. Mutable: a server that answers BadTooManyOperations teaches a smaller size. */
export interface OperationLimits {
  read: number;
  monitor: number;
  translate: number;
  browse: number;
  /** 0 when the server names none. */
  itemsPerSubscription: number;
}

/** A server that names no limit still gets calls of this size, so that no message grows without bound. */
const CHUNK_MAX = { read: 2_000, monitor: 1_000, translate: 500, browse: 100 } as const;

const NODE = {
  read: VariableIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
  monitor: VariableIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
  translate: VariableIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
  browse: VariableIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
  itemsPerSubscription: VariableIds.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription,
} as const;

/** Reads ServerCapabilities.OperationLimits (Part 5, 6.3.11). Missing or zero means no limit, and our own chunk size. */
export async function readOperationLimits(link: OpcuaLink): Promise<OperationLimits> {
  const limits: OperationLimits = { ...CHUNK_MAX, itemsPerSubscription: 0 };
  const names = Object.keys(NODE) as (keyof OperationLimits)[];
  // The limit on reads is not known yet, so a refusal of five at once halves the call.
  await inChunks(
    names,
    { size: names.length },
    async (chunk) => {
      const nodesToRead = chunk.map((name) => ({ nodeId: coerceNodeId(NODE[name]), attributeId: AttributeIds.Value }));
      const request = new ReadRequest({ nodesToRead, timestampsToReturn: TimestampsToReturn.Neither, maxAge: 0 });
      const response = await link.request<ReadResponse>(request);
      for (const [i, name] of chunk.entries()) {
        const value: unknown = response.results?.[i]?.value?.value;
        if (typeof value !== "number" || value <= 0) continue;
        limits[name] = name === "itemsPerSubscription" ? value : Math.min(limits[name], value);
      }
    },
    () => undefined,
  );
  return limits;
}

const TOO_LARGE: ReadonlySet<number> = new Set([
  ServiceStatus.BadTooManyOperations,
  ServiceStatus.BadRequestTooLarge,
  ServiceStatus.BadResponseTooLarge,
  ServiceStatus.BadEncodingLimitsExceeded,
]);
const NOT_ABOUT_ITEMS: ReadonlySet<number> = new Set([
  ...SESSION_GONE,
  ServiceStatus.BadSubscriptionIdInvalid,
  ServiceStatus.BadServiceUnsupported,
]);

/**
 * Runs `call` over the items in chunks. A call refused as too large is halved, and the smaller size is remembered in
 * `bound.size`; a call that fails as a whole for another reason is bisected until the failing items stand alone, and each
 * of these goes to `failed`. Faults of the link, session or subscription are thrown.
 */
export async function inChunks<T>(
  items: readonly T[],
  bound: { size: number },
  call: (chunk: readonly T[]) => Promise<void>,
  failed: (item: T, error: EdgeError) => void,
): Promise<void> {
  const pending: (readonly T[])[] = items.length > 0 ? [items] : [];
  for (let chunk = pending.pop(); chunk !== undefined; chunk = pending.pop()) {
    if (chunk.length > bound.size) {
      pending.push(chunk.slice(bound.size), chunk.slice(0, bound.size));
      continue;
    }
    try {
      await call(chunk);
    } catch (error) {
      if (
        !(error instanceof EdgeError) ||
        error.code !== "DRIVER_REFUSED" ||
        NOT_ABOUT_ITEMS.has(error.statusCode ?? 0)
      )
        throw error;
      const [first] = chunk;
      if (chunk.length === 1 && first !== undefined) {
        failed(first, error);
        continue;
      }
      const half = Math.ceil(chunk.length / 2);
      if (TOO_LARGE.has(error.statusCode ?? 0)) bound.size = half;
      pending.push(chunk.slice(half), chunk.slice(0, half));
    }
  }
}
