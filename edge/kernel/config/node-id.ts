const UINT32_MAX = 0xffff_ffff;
const UINT16_MAX = 0xffff;
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * What is wrong with a node id's text, or undefined. Grammar of OPC UA Part 6, 5.3.1.10: optional "ns=<index>;" or
 * "nsu=<uri>;", then i= (unsigned 32 bits), s= (text), g= (GUID) or b= (base64).
 */
export function nodeIdFault(text: string): string | undefined {
  if (text !== text.trim()) return "it begins or ends with a space";
  if (text.startsWith("svr=")) return "a server index (svr=) can't be read through this connection";
  let rest = text;
  if (/^ns[= ]/.test(text)) {
    const match = /^ns=(\d+);/.exec(text);
    if (match === null) return "after 'ns=' a number and a semicolon must follow";
    if (Number(match[1]) > UINT16_MAX) return `namespace index ${match[1]} is larger than ${UINT16_MAX}`;
    rest = text.slice(match[0].length);
  } else if (text.startsWith("nsu=")) {
    const match = /^nsu=([^;]+);/.exec(text);
    if (match === null) return "after 'nsu=' a namespace URI and a semicolon must follow";
    rest = text.slice(match[0].length);
  }
  const kind = rest.slice(0, 2);
  const identifier = rest.slice(2);
  if (kind === "i=") {
    if (!/^\d+$/.test(identifier)) return `'${identifier}' is not a number, which i= needs`;
    return Number(identifier) > UINT32_MAX ? `identifier ${identifier} is larger than ${UINT32_MAX}` : undefined;
  }
  if (kind === "s=") return identifier === "" ? "nothing follows s=" : undefined;
  if (kind === "g=") return GUID.test(identifier) ? undefined : `'${identifier}' is not a GUID, which g= needs`;
  if (kind === "b=") {
    return identifier !== "" && BASE64.test(identifier) ? undefined : `'${identifier}' is not base64, which b= needs`;
  }
  if (rest.startsWith(" ")) return "a space follows the semicolon";
  return "the identifier must begin with i=, s=, g= or b=";
}

export const NODE_ID_HINT =
  'a node id looks like "ns=2;s=Mill.Speed", "nsu=http://vendor/ns;i=1001" or "i=2258"; copy it from a browser of the server';

/**
 * What is wrong with a browse path's text, or undefined. "/" separates the elements, "&" escapes (OPC UA Part 4, A.2), an
 * element is "<namespace index>:<name>", "nsu=<uri>:<name>" or a name of namespace 0. The "://" of a URI needs no escape.
 */
export function browsePathFault(text: string): string | undefined {
  if (text !== text.trim()) return "it begins or ends with a space";
  if (!text.startsWith("/")) return "it must begin with '/'";
  const elements = text
    .slice(1)
    .replace(/nsu=[^:&]*:\/\/[^:]*/g, (uri) => uri.replaceAll("/", " "))
    .match(/(?:&.|[^&/])*(?:\/|$|&$)/gs);
  if (/(?:^|[^&])(?:&&)*&$/.test(text)) return "an '&' at the end escapes nothing";
  const names = (elements ?? []).slice(0, text.endsWith("/") ? undefined : -1).map((e) => e.replace(/\/$/, ""));
  if (names.length === 0 || names.some((name) => name === "")) return "an element between two '/' is empty";
  for (const name of names) {
    if (name.startsWith("nsu=")) {
      if (!/^nsu=.+:[^:]*[^:]$/s.test(name)) return `'${name}' has no name after its namespace URI and ':'`;
      continue;
    }
    const prefix = /^(\d+):(.*)$/s.exec(name);
    if (prefix === null) continue;
    if (Number(prefix[1]) > UINT16_MAX) return `namespace index ${prefix[1]} is larger than ${UINT16_MAX}`;
    if (prefix[2] === "") return `'${name}' has no name after its namespace index`;
  }
  return undefined;
}

export const BROWSE_PATH_HINT =
  'a browse path looks like "/Objects/2:Mill01/2:Speed"; put "&" before a "/", ":" or "&" that belongs to a name';
