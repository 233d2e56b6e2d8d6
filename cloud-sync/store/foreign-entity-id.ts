import { createHash } from "node:crypto";

/** Namespace of the entity ids of foreign events (RFC 9562, version 5). */
const ENTITY_NAMESPACE = Buffer.from("6f1dd4d05e1c4a5e9b3c7a70b1c0ffee", "hex");

/** Of a reading of a device of another make: the same one has always the same (a UUID of version 5 of its identity). */
export function foreignEntityId(epoch: string, machineId: string, seq: number): string {
  const hash = createHash("sha1").update(ENTITY_NAMESPACE).update(`${epoch}/${machineId}/${seq}`).digest();
  hash[6] = ((hash[6] as number) & 0x0f) | 0x50;
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80;
  const hex = hash.toString("hex", 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
