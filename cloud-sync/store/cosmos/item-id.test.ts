import fc from "fast-check";
import { expect, test } from "vitest";
import { ID_BYTES_MAX } from "../event-store.ts";
import { documentIdOf, itemIdOf } from "./item-id.ts";
import { partitionKeyOf, partitionOfKey } from "./partition-key.ts";

const anyText = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed());
const orderOf = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

test("an item's id holds nothing that Cosmos DB or a URL trips over, and leads back to the document's", () => {
  fc.assert(
    fc.property(anyText, (id) => {
      const item = itemIdOf(id);
      expect(item).toMatch(/^[A-Za-z0-9!.:_~-]*$/);
      expect(documentIdOf(item)).toBe(id);
    }),
  );
  expect(itemIdOf("event-000000000012")).toBe("event-000000000012");
  expect(itemIdOf("a/b")).toBe("a.2Fb");
});

test("the order of items is the order of documents by their bytes", () => {
  const single = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));
  const ends = ["é", "鋼", "\u{10ffff}", "", "a", "az", "aZ"];
  for (const a of [...single, ...ends])
    for (const b of [...single, ...ends])
      expect(Math.sign(orderOf(itemIdOf(a), itemIdOf(b))), `${a} ${b}`).toBe(Math.sign(orderOf(a, b)));
  fc.assert(
    fc.property(anyText, anyText, (a, b) => Math.sign(orderOf(itemIdOf(a), itemIdOf(b))) === Math.sign(orderOf(a, b))),
  );
});

test("the longest id fits into what Cosmos DB takes, whatever it is made of", () => {
  expect(itemIdOf("\u0001".repeat(ID_BYTES_MAX)).length).toBeLessThanOrEqual(1_023);
});

test("no two partitions share a key", () => {
  const name = fc.oneof(anyText, fc.constantFrom("", "0", "1:", "1:a", "sha256:", ":"));
  fc.assert(
    fc.property(name, name, (stream, part) => {
      expect(partitionOfKey(partitionKeyOf({ stream, part }))).toEqual({ stream, part });
    }),
  );
});

test("a name that is too long for a key is hashed; each still has its own", () => {
  const long = "鋼".repeat(700);
  const keys = [
    { stream: long, part: "1" },
    { stream: `${long}1`, part: "" },
    { stream: long, part: "2" },
  ].map(partitionKeyOf);
  expect(new Set(keys).size).toBe(3);
  for (const key of keys) {
    expect(Buffer.byteLength(key)).toBeLessThanOrEqual(2_048);
    expect(partitionOfKey(key)).toBeUndefined();
  }
});
