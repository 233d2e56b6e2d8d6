import { AttributeIds, type DataValue, ReadRequest, type ReadResponse, TimestampsToReturn } from "node-opcua-client";
import type { EdgeError } from "../../kernel/errors.ts";
import { isOpaque } from "./convert.ts";
import type { Item } from "./item.ts";
import { inChunks, type OperationLimits } from "./limits.ts";
import type { OpcuaLink } from "./link.ts";
import { decodeStructures } from "./structures.ts";

/** Reads the items' values now, within the server's limits, and hands each one on; items that fail alone go to `failed`. */
export async function readItems(
  link: OpcuaLink,
  items: readonly Item[],
  limits: OperationLimits,
  each: (item: Item, dataValue: DataValue) => void,
  failed: (item: Item, error: EdgeError) => void,
): Promise<void> {
  const bound = { size: limits.read };
  await inChunks(
    items,
    bound,
    async (chunk) => {
      const nodesToRead = chunk.map((item) => ({ nodeId: item.nodeId ?? undefined, attributeId: AttributeIds.Value }));
      const request = new ReadRequest({
        nodesToRead: nodesToRead as never,
        timestampsToReturn: TimestampsToReturn.Both,
        maxAge: 0,
      });
      const results = (await link.request<ReadResponse>(request)).results ?? [];
      const opaque = results.filter((result) => isOpaque(result.value));
      if (opaque.length > 0) await decodeStructures(link.session, opaque);
      for (const [i, item] of chunk.entries()) {
        const result = results[i];
        if (result !== undefined) each(item, result);
      }
    },
    failed,
  );
  limits.read = bound.size;
}
