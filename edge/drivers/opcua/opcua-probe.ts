import {
  AttributeIds,
  BrowseDirection,
  BrowseNextRequest,
  type BrowseNextResponse,
  BrowseRequest,
  type BrowseResponse,
  type DataValue,
  NodeClass,
  type NodeId,
  ReadRequest,
  type ReadResponse,
  type ReferenceDescription,
  ReferenceTypeIds,
  resolveNodeId,
  TimestampsToReturn,
} from "node-opcua-client";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import type { OpcuaClientConfig, OpcuaIdentity, OpcuaSecurity } from "../../kernel/config/model.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { statusName } from "../../kernel/status-code.ts";
import { formatNodeId, parseNodeId } from "./address.ts";
import { convert, timestampMs, typeName } from "./convert.ts";
import { inChunks, type OperationLimits, readOperationLimits } from "./limits.ts";
import { type LinkDeps, type OpcuaLink, openLink } from "./link.ts";
import { readNamespaces } from "./resolve.ts";

export interface ProbeOptions {
  /** Left out: sign-and-encrypt if the server offers it, else sign, else none; `secure` in the answer says which. */
  readonly mode?: OpcuaSecurity["mode"];
  readonly trust?: OpcuaSecurity["trust"];
  readonly identity?: OpcuaIdentity;
  readonly timeoutMs?: number;
}

export interface ProbedNode {
  /** With the namespace URI, the form to write into a configuration; a well-known node as "i=2258". */
  readonly nodeId: string;
  readonly displayName: string;
  readonly nodeClass: string;
  /** Of a variable's value as delivered; null for other nodes. */
  readonly dataType: string | null;
  readonly value: SampleValue;
  readonly statusCode: number;
  readonly status: string;
  readonly sourceTimestampMs: number | null;
  readonly serverTimestampMs: number | null;
}

export interface BrowsedNode extends ProbedNode {
  /** 0 for the children of the node that was asked for. */
  readonly level: number;
  /** nodeId of the node that it was found below; null for the children of the node that was asked for. */
  readonly parentId: string | null;
}

export interface ProbeResult<T> {
  readonly nodes: readonly T[];
  readonly mode: OpcuaSecurity["mode"];
  /** One sentence when the connection is not encrypted or a certificate needs attention, else null. */
  readonly warning: string | null;
  /** More was there than `limit` allowed. */
  readonly truncated: boolean;
}

/** Reads and browses a device without a configuration, for the CLI. Each call opens a session and closes it. */
export class OpcuaProbe {
  readonly #config: OpcuaClientConfig;
  readonly #deps: LinkDeps;

  constructor(config: OpcuaClientConfig, deps: LinkDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** @throws EdgeError DRIVER_NOT_CONNECTED, DRIVER_REFUSED; a node that can't be read is in the result with its status */
  readNodes(
    endpointUrl: string,
    nodeIds: readonly string[],
    options: ProbeOptions = {},
  ): Promise<ProbeResult<ProbedNode>> {
    return this.#with(endpointUrl, options, async (link, namespaces, limits) => {
      const nodes: ProbedNode[] = [];
      const targets: { nodeId: NodeId; at: number }[] = [];
      for (const [at, text] of nodeIds.entries()) {
        try {
          targets.push({ nodeId: parseNodeId(text, namespaces), at });
        } catch (error) {
          if (!(error instanceof EdgeError)) throw error;
          nodes[at] = failedNode(text, error.statusCode ?? 0x80330000, error.message);
        }
      }
      const read = await describeNodes(
        link,
        targets.map((each) => each.nodeId),
        namespaces,
        limits,
      );
      for (const [i, target] of targets.entries())
        nodes[target.at] = read[i] ?? failedNode(nodeIds[target.at] ?? "", 0x80010000, "");
      return { nodes, truncated: false };
    });
  }

  /** Children by hierarchical references, breadth first, each node once. From Objects when no node is given. */
  browse(
    endpointUrl: string,
    what: { readonly nodeId?: string; readonly depth: number; readonly limit: number },
    options: ProbeOptions = {},
  ): Promise<ProbeResult<BrowsedNode>> {
    return this.#with(endpointUrl, options, async (link, namespaces, limits) => {
      const seen = new Set<string>();
      const found: { nodeId: NodeId; level: number; parentId: string | null }[] = [];
      let level = [parseNodeId(what.nodeId ?? "i=85", namespaces)];
      let truncated = false;
      for (let depth = 0; depth < what.depth && level.length > 0 && !truncated; depth++) {
        const next: NodeId[] = [];
        for (const { parent, reference } of await children(link, level, limits)) {
          const key = reference.nodeId.toString();
          if (seen.has(key)) continue;
          if (found.length >= what.limit) {
            truncated = true;
            break;
          }
          seen.add(key);
          const parentId = depth === 0 ? null : formatNodeId(parent, namespaces);
          found.push({ nodeId: reference.nodeId, level: depth, parentId });
          next.push(reference.nodeId);
        }
        level = next;
      }
      const nodes = await describeNodes(
        link,
        found.map((each) => each.nodeId),
        namespaces,
        limits,
      );
      return {
        nodes: nodes.map((node, i) => ({
          ...node,
          level: found[i]?.level ?? 0,
          parentId: found[i]?.parentId ?? null,
        })),
        truncated,
      };
    });
  }

  async #with<T>(
    endpointUrl: string,
    options: ProbeOptions,
    work: (
      link: OpcuaLink,
      namespaces: string[],
      limits: OperationLimits,
    ) => Promise<{ nodes: readonly T[]; truncated: boolean }>,
  ): Promise<ProbeResult<T>> {
    const modes = options.mode ? [options.mode] : (["sign-and-encrypt", "sign", "none"] as const);
    const timeoutMs = options.timeoutMs ?? 10_000;
    for (const mode of modes) {
      try {
        const settings = {
          endpointUrl,
          security: { mode, policy: "auto", trust: options.trust ?? "explicit" } as const,
          identity: options.identity ?? ({ kind: "anonymous" } as const),
          connectTimeoutMs: timeoutMs,
          requestTimeoutMs: timeoutMs,
        };
        const link = await openLink(settings, this.#config, this.#deps, AbortSignal.timeout(timeoutMs));
        try {
          const limits = await readOperationLimits(link);
          const result = await work(link, await readNamespaces(link), limits);
          const insecure = mode === "none" ? "the connection is neither signed nor encrypted" : null;
          return { ...result, mode, warning: insecure ?? link.warning };
        } finally {
          await link.close();
        }
      } catch (error) {
        // Only a mode that the server does not offer leads on to a weaker one; a refused certificate never does.
        const notOffered =
          error instanceof EdgeError && (error.statusCode === 0x80540000 || error.statusCode === 0x80550000);
        if (!notOffered || mode === modes.at(-1)) throw error;
      }
    }
    throw new EdgeError("DRIVER_REFUSED", `${endpointUrl} offers no usable security mode`);
  }
}

async function children(
  link: OpcuaLink,
  parents: readonly NodeId[],
  limits: OperationLimits,
): Promise<{ readonly parent: NodeId; readonly reference: ReferenceDescription }[]> {
  const found: { parent: NodeId; reference: ReferenceDescription }[] = [];
  await inChunks(
    parents,
    { size: limits.browse },
    async (chunk) => {
      const request = new BrowseRequest({
        requestedMaxReferencesPerNode: 1_000,
        nodesToBrowse: chunk.map((nodeId) => ({
          nodeId,
          browseDirection: BrowseDirection.Forward,
          referenceTypeId: resolveNodeId(ReferenceTypeIds.HierarchicalReferences),
          includeSubtypes: true,
          nodeClassMask: 0,
          resultMask: 63,
        })),
      });
      for (const [i, first] of ((await link.request<BrowseResponse>(request)).results ?? []).entries()) {
        const parent = chunk[i];
        if (parent === undefined) break;
        const take = (references: readonly ReferenceDescription[] | null | undefined): void => {
          for (const reference of references ?? []) found.push({ parent, reference });
        };
        take(first.references);
        let point: Buffer | null = first.continuationPoint;
        while (point && point.length > 0) {
          const more = new BrowseNextRequest({ continuationPoints: [point], releaseContinuationPoints: false });
          const result = (await link.request<BrowseNextResponse>(more)).results?.[0];
          take(result?.references);
          point = result?.continuationPoint ?? null;
        }
      }
    },
    () => undefined,
  );
  return found.filter(({ reference }) => reference.nodeId.serverIndex === 0);
}

async function describeNodes(
  link: OpcuaLink,
  nodeIds: readonly NodeId[],
  namespaces: readonly string[],
  limits: OperationLimits,
): Promise<ProbedNode[]> {
  const attributes = [AttributeIds.DisplayName, AttributeIds.NodeClass, AttributeIds.Value];
  const reads = nodeIds.flatMap((nodeId, at) => attributes.map((attributeId) => ({ nodeId, attributeId, at })));
  const values = new Map<string, DataValue>();
  await inChunks(
    reads,
    { size: limits.read },
    async (chunk) => {
      const nodesToRead = chunk.map(({ nodeId, attributeId }) => ({ nodeId, attributeId }));
      const request = new ReadRequest({ nodesToRead, timestampsToReturn: TimestampsToReturn.Both, maxAge: 0 });
      for (const [i, result] of ((await link.request<ReadResponse>(request)).results ?? []).entries()) {
        values.set(`${chunk[i]?.at}:${chunk[i]?.attributeId}`, result);
      }
    },
    () => undefined,
  );
  return nodeIds.map((nodeId, at) => {
    const [name, nodeClass, value] = attributes.map((attributeId) => values.get(`${at}:${attributeId}`));
    const className = NodeClass[Number(nodeClass?.value?.value ?? 0)] ?? "Unspecified";
    const isVariable = className === "Variable";
    const of = isVariable || !name || name.statusCode.value !== 0 ? value : name;
    const converted =
      of && (isVariable || of === value)
        ? convert(of, { type: null, index: null, scale: 1, offset: 0 })
        : { value: null, statusCode: 0 };
    return {
      nodeId: formatNodeId(nodeId, namespaces),
      displayName: (name?.value?.value as { text?: string } | null)?.text ?? "",
      nodeClass: className,
      dataType: isVariable && value ? typeName(value) : null,
      value: converted.value,
      statusCode: converted.statusCode,
      status: statusName(converted.statusCode),
      sourceTimestampMs: isVariable && value ? timestampMs(value.sourceTimestamp, value.sourcePicoseconds) : null,
      serverTimestampMs: isVariable && value ? timestampMs(value.serverTimestamp, value.serverPicoseconds) : null,
    };
  });
}

function failedNode(nodeId: string, statusCode: number, message: string): ProbedNode {
  return {
    nodeId,
    displayName: "",
    nodeClass: "Unspecified",
    dataType: null,
    value: null,
    statusCode,
    status: message === "" ? statusName(statusCode) : `${statusName(statusCode)}: ${message}`,
    sourceTimestampMs: null,
    serverTimestampMs: null,
  };
}
