/**
 * Ids of documents as ids of items. Cosmos DB forbids / \ ? # in them, and some clients trip over more; so what is no digit, letter (Z
 * excepted) or "-" becomes a lead and two hexadecimal digits. The lead depends on the byte such that the order of the ids by their UTF-8
 * bytes stays the order of the items: each lead stands, in ASCII, where the bytes stand for which it leads.
 */
const LEADS: readonly (readonly [firstByte: number, lastByte: number, lead: string])[] = [
  [0x00, 0x2c, "!"],
  [0x2e, 0x2f, "."],
  [0x3a, 0x40, ":"],
  [0x5a, 0x5e, "Z"],
  [0x5f, 0x60, "_"],
  [0x7b, 0xff, "~"],
];
const ITEM_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const lead = LEADS.find(([first, last]) => byte >= first && byte <= last)?.[2];
  return lead === undefined ? String.fromCharCode(byte) : lead + byte.toString(16).toUpperCase().padStart(2, "0");
});
const LEADING = new Set(LEADS.map(([, , lead]) => lead));

/** Of a document's id, which may be any well-formed text. Each takes at most three bytes for one. */
export function itemIdOf(documentId: string): string {
  let item = "";
  for (const byte of Buffer.from(documentId, "utf8")) item += ITEM_OF_BYTE[byte];
  return item;
}

export function documentIdOf(itemId: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < itemId.length; at++) {
    if (LEADING.has(itemId.charAt(at))) {
      bytes.push(Number.parseInt(itemId.slice(at + 1, at + 3), 16));
      at += 2;
    } else bytes.push(itemId.charCodeAt(at));
  }
  return Buffer.from(bytes).toString("utf8");
}
