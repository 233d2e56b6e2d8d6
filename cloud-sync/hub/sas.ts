import { createHmac, timingSafeEqual } from "node:crypto";

/** A device's or service's token. Source: "Control access to IoT Hub using shared access signatures". */
export interface SasToken {
  /** Decoded: "localhost/devices/mill/modules/uplink". */
  readonly resource: string;
  readonly expiresMs: number;
  /** Of an access policy; undefined when an identity's own key signed. */
  readonly policyName: string | undefined;
  readonly signature: Buffer;
  /** What was signed: the resource as it is written in the token, and the expiry. */
  readonly signedText: string;
}

const PREFIX = "SharedAccessSignature ";
const TOKEN_CHARACTERS_MAX = 8_192;

/** Undefined when the text is not a token. */
export function parseSas(text: string): SasToken | undefined {
  if (!text.startsWith(PREFIX) || text.length > TOKEN_CHARACTERS_MAX) return undefined;
  const fields = new Map<string, string>();
  for (const part of text.slice(PREFIX.length).split("&")) {
    const equals = part.indexOf("=");
    if (equals > 0) fields.set(part.slice(0, equals).trim(), part.slice(equals + 1));
  }
  const [sr, sig, se] = [fields.get("sr"), fields.get("sig"), fields.get("se")];
  if (sr === undefined || sig === undefined || se === undefined || !/^\d{1,15}$/.test(se)) return undefined;
  const [resource, signature] = [decoded(sr), decoded(sig)];
  const policyName = decoded(fields.get("skn") ?? "");
  if (resource === undefined || signature === undefined || policyName === undefined) return undefined;
  return {
    resource,
    expiresMs: Number(se) * 1_000,
    policyName: policyName === "" ? undefined : policyName,
    signature: Buffer.from(signature, "base64"),
    signedText: `${sr}\n${se}`,
  };
}

/** Whether one of the keys (base64) signed it. Takes as long for a wrong signature as for a right one. */
export function isSignedBy(token: SasToken, keys: readonly (string | null)[]): boolean {
  let isSigned = false;
  for (const key of keys) {
    if (key === null || key === "") continue;
    const wanted = createHmac("sha256", Buffer.from(key, "base64")).update(token.signedText).digest();
    if (token.signature.length === wanted.length && timingSafeEqual(token.signature, wanted)) isSigned = true;
  }
  return isSigned;
}

/** Whether a token for `resource` opens `path` ("localhost/devices/mill"): it is the same, or above it. */
export function covers(resource: string, path: string): boolean {
  const given = segmentsOf(resource);
  const wanted = segmentsOf(path);
  return given.length > 0 && given.length <= wanted.length && given.every((segment, i) => segment === wanted[i]);
}

/** Makes one, for tests and tools. @param key base64 @param expiresMs epoch ms */
export function signSas(resource: string, key: string, expiresMs: number, policyName?: string): string {
  const sr = encodeURIComponent(resource);
  const se = Math.ceil(expiresMs / 1_000);
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(`${sr}\n${se}`).digest("base64");
  const skn = policyName === undefined ? "" : `&skn=${encodeURIComponent(policyName)}`;
  return `${PREFIX}sr=${sr}&sig=${encodeURIComponent(signature)}&se=${se}${skn}`;
}

/** The host in lower case without its port, "Devices" and "Modules" in lower case; ids may have been encoded a second time. */
function segmentsOf(resource: string): string[] {
  const [host = "", ...ids] = resource.replace(/\/+$/, "").split("/");
  const isWord = (id: string, i: number): boolean => i % 2 === 0 && /^(?:devices|modules)$/i.test(id);
  const rest = ids.map((id, i) => (isWord(id, i) ? id.toLowerCase() : (decoded(id) ?? id)));
  return [host.toLowerCase().replace(/:\d+$/, ""), ...rest];
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
