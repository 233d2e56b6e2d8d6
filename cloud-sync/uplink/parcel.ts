import { createHash } from "node:crypto";
import { type Lane, MESSAGE_BYTES_MAX, type Outgoing, UNIT_BYTES } from "./ports.ts";

const ID_BYTES = 16;

/** A message with what is known of it here, until it is acknowledged or set aside. */
export interface Parcel {
  readonly message: Outgoing;
  readonly bytes: number;
  readonly events: number;
  /** "redmond/mill-01 12–40", one for each stretch inside. */
  readonly contents: readonly string[];
  /** Of a dead letter that is tried again. */
  readonly deadLetterId?: number;
  /** It went, or it stands among the dead letters: either way it is done with. */
  readonly settled: (outcome: "acknowledged" | "dead") => void;
}

/** The id is of the content alone: what is sent again after a crash is known again. */
export function messageOf(
  lane: Lane,
  site: string,
  content: Pick<Outgoing, "body" | "contentType" | "contentEncoding">,
): Outgoing {
  const id = createHash("sha256").update(content.body).digest().subarray(0, ID_BYTES).toString("base64url");
  return { ...content, id, lane, properties: { lane, site: encodeURIComponent(site) } };
}

/** Body and properties as the hub counts them, the message's own (id, content type) included, rather too many. */
export function bytesOf({ id, body, contentType, contentEncoding = "", properties }: Outgoing): number {
  const own = id.length + contentType.length + contentEncoding.length + 32;
  const given = Object.entries(properties).reduce((sum, [name, value]) => sum + name.length + value.length + 2, 0);
  return body.length + own + given;
}

export function unitsOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / UNIT_BYTES));
}

export function isTooLarge(bytes: number): boolean {
  return bytes > MESSAGE_BYTES_MAX;
}
