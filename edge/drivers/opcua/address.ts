import { BrowsePath, coerceNodeId, type NodeId, ObjectIds, ReferenceTypeIds, resolveNodeId } from "node-opcua-client";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";

/** Finds a namespace's index in the server's NamespaceArray of this session. */
function indexOf(uri: string, namespaces: readonly string[]): number {
  const index = namespaces.indexOf(uri);
  if (index < 0) throw unknown(`the server has no namespace "${uri}"`, `it has ${namespaces.slice(0, 20).join(", ")}`);
  return index;
}

function unknown(message: string, hint: string, statusCode: number = StatusCode.BadNodeIdUnknown): EdgeError {
  return new EdgeError("DRIVER_CONFIG", message, { statusCode, hint });
}

/**
 * Parses "ns=2;s=…", "nsu=http://…;s=…", "i=2258" (Part 6, 5.3.1.10; kinds i, s, g, b). In a namespace URI, %3B and %25
 * stand for ";" and "%".
 * @throws EdgeError DRIVER_CONFIG with BadNodeIdUnknown (namespace) or BadNodeIdInvalid (text)
 */
export function parseNodeId(text: string, namespaces: readonly string[]): NodeId {
  const match = /^(?:nsu=(?<uri>[^;]+);|ns=(?<ns>\d+);)?(?<rest>[isgb]=.+)$/s.exec(text.trim());
  const groups = match?.groups;
  if (!groups?.rest)
    throw unknown(
      `"${text}" is not a node id`,
      'expected e.g. "ns=2;s=Name", "nsu=urn:maker;i=12"',
      StatusCode.BadNodeIdInvalid,
    );
  const uri = groups.uri?.replaceAll(/%3b/gi, ";").replaceAll("%25", "%");
  const ns = uri === undefined ? Number(groups.ns ?? 0) : indexOf(uri, namespaces);
  try {
    return coerceNodeId(`ns=${ns};${groups.rest}`);
  } catch {
    throw unknown(
      `"${text}" is not a node id`,
      "check the identifier after i=, s=, g= or b=",
      StatusCode.BadNodeIdInvalid,
    );
  }
}

/** The node id with its namespace URI in place of the index, which a server may change at its next start. */
export function formatNodeId(nodeId: NodeId, namespaces: readonly string[]): string {
  const uri = namespaces[nodeId.namespace];
  const local = nodeId.toString().replace(/^ns=\d+;/, "");
  if (nodeId.namespace === 0 || uri === undefined) return nodeId.namespace === 0 ? local : nodeId.toString();
  return `nsu=${uri.replaceAll("%", "%25").replaceAll(";", "%3B")};${local}`;
}

/**
 * Splits a browse path from Objects into its names: "/Objects/nsu=http://a/b:Line/2:Mill01". A "/" separates only where
 * a name begins, "&" takes the next character as it is (Part 4, A.2), and an "nsu=" URI reaches to its last ":" before
 * the next unescaped separator that does not belong to the URI.
 * @throws EdgeError DRIVER_CONFIG with BadNodeIdUnknown or BadConfigurationError
 */
export function parseBrowsePath(
  text: string,
  namespaces: readonly string[],
): { namespaceIndex: number; name: string }[] {
  const steps: { namespaceIndex: number; name: string }[] = [];
  let rest = text.startsWith("/") ? text.slice(1) : text;
  while (rest.length > 0) {
    let namespaceIndex = 0;
    if (rest.startsWith("nsu=")) {
      // The longest known URI that fits is meant: a URI has slashes and colons of its own.
      const uri = namespaces.filter((each) => rest.startsWith(`nsu=${each}:`)).sort((a, b) => b.length - a.length)[0];
      if (uri === undefined)
        throw unknown(
          `the server has no namespace that "${rest}" begins with`,
          `it has ${namespaces.slice(0, 20).join(", ")}`,
        );
      namespaceIndex = indexOf(uri, namespaces);
      rest = rest.slice(4 + uri.length + 1);
    } else {
      const prefix = /^(\d+):/.exec(rest);
      if (prefix) {
        namespaceIndex = Number(prefix[1]);
        rest = rest.slice(prefix[0].length);
      }
    }
    const name = /^(?:&.|[^/&])*/s.exec(rest)?.[0] ?? "";
    if (name === "")
      throw unknown(
        `the browse path "${text}" has an empty name`,
        'separate names by one "/"',
        StatusCode.BadConfigurationError,
      );
    steps.push({ namespaceIndex, name: name.replaceAll(/&(.)/gs, "$1") });
    rest = rest.slice(name.length + 1);
  }
  return steps;
}

/** The request form of a browse path; the leading "Objects" names the folder that the path starts from. */
export function toBrowsePath(text: string, namespaces: readonly string[]): BrowsePath {
  const steps = parseBrowsePath(text, namespaces);
  if (steps[0]?.namespaceIndex === 0 && steps[0].name === "Objects") steps.shift();
  return new BrowsePath({
    startingNode: resolveNodeId(ObjectIds.ObjectsFolder),
    relativePath: {
      elements: steps.map((step) => ({
        referenceTypeId: resolveNodeId(ReferenceTypeIds.HierarchicalReferences),
        isInverse: false,
        includeSubtypes: true,
        targetName: step,
      })),
    },
  });
}
