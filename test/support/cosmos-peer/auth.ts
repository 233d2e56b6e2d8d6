import { createHmac, timingSafeEqual } from "node:crypto";
import { Refusal } from "./refusal.ts";
import type { PeerRequest } from "./request.ts";

const CLOCK_MS_MAX = 15 * 60_000;

/** "Access control on Azure Cosmos DB resources": HMAC-SHA256 by the master key over verb, resource and date. @throws Refusal 401, 403 */
export function authorize({ method, headers, resourceType, resourceLink }: PeerRequest, key: string): void {
  const date = String(headers["x-ms-date"] ?? "");
  const text = `${method.toLowerCase()}\n${resourceType}\n${resourceLink}\n${date.toLowerCase()}\n\n`;
  const wanted = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest();
  const given = new URLSearchParams(decodeURIComponent(String(headers.authorization ?? "")).replaceAll("+", "%2B"));
  const signature = Buffer.from(given.get("sig") ?? "", "base64");
  const isMaster = given.get("type") === "master" && given.get("ver") === "1.0";
  if (!isMaster || signature.length !== wanted.length || !timingSafeEqual(signature, wanted))
    throw new Refusal(401, "The input authorization token can't serve the request. The wrong key is being used.");
  const distanceMs = Math.abs(Date.now() - Date.parse(date));
  if (!(distanceMs < CLOCK_MS_MAX)) throw new Refusal(403, "The authorization token is not valid at the current time.");
}
