import {
  AttributeIds,
  coerceNodeId,
  ReadRequest,
  type ReadResponse,
  TimestampsToReturn,
  TranslateBrowsePathsToNodeIdsRequest,
  type TranslateBrowsePathsToNodeIdsResponse,
  VariableIds,
} from "node-opcua-client";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { parseNodeId, toBrowsePath } from "./address.ts";
import type { Delivery } from "./delivery.ts";
import type { Item } from "./item.ts";
import { inChunks, type OperationLimits } from "./limits.ts";
import type { OpcuaLink } from "./link.ts";

/** The server's NamespaceArray. Its order is only good for one session: a server may change it at its next start. */
export async function readNamespaces(link: OpcuaLink): Promise<string[]> {
  const nodesToRead = [{ nodeId: coerceNodeId(VariableIds.Server_NamespaceArray), attributeId: AttributeIds.Value }];
  const request = new ReadRequest({ nodesToRead, timestampsToReturn: TimestampsToReturn.Neither, maxAge: 0 });
  const value: unknown = (await link.request<ReadResponse>(request)).results?.[0]?.value?.value;
  return Array.isArray(value) ? value.map(String) : ["http://opcfoundation.org/UA/"];
}

/** Gives each item its node id in this session; those that have none become Bad with a problem. */
export async function resolveItems(
  link: OpcuaLink,
  items: readonly Item[],
  namespaces: readonly string[],
  limits: OperationLimits,
  delivery: Delivery,
): Promise<void> {
  const paths: { item: Item; path: ReturnType<typeof toBrowsePath> }[] = [];
  for (const item of items) {
    try {
      if (item.signal.node !== null) item.nodeId = parseNodeId(item.signal.node, namespaces);
      else paths.push({ item, path: toBrowsePath(item.signal.path ?? "", namespaces) });
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      delivery.fail(item, error.statusCode ?? StatusCode.BadNodeIdInvalid, error.message, error.hint);
    }
  }
  const bound = { size: limits.translate };
  await inChunks(
    paths,
    bound,
    async (chunk) => {
      const request = new TranslateBrowsePathsToNodeIdsRequest({ browsePaths: chunk.map((each) => each.path) });
      const response = await link.request<TranslateBrowsePathsToNodeIdsResponse>(request);
      for (const [i, { item }] of chunk.entries()) {
        const result = response.results?.[i];
        // A target with a remaining path lies in another server; only a whole match is the node.
        const target = result?.targets?.find((each) => each.remainingPathIndex === 0xffffffff);
        const statusCode = result ? result.statusCode.value >>> 0 : StatusCode.BadNoMatch;
        if (statusCode < 0x80000000 && target) item.nodeId = target.targetId;
        else
          delivery.fail(
            item,
            statusCode || StatusCode.BadNoMatch,
            `no node at ${item.signal.path}`,
            "browse the server and correct the path; it is tried again by itself",
          );
      }
    },
    ({ item }, error) => delivery.fail(item, error.statusCode ?? StatusCode.BadNoMatch, error.message, error.hint),
  );
  limits.translate = bound.size;
}
