import { expect, test } from "vitest";
import { formatNodeId, parseBrowsePath, parseNodeId } from "./address.ts";

const NAMESPACES = ["http://opcfoundation.org/UA/", "urn:box", "http://a.b/c", "http://a.b/c:d/"];

test.each([
  ["i=2258", "i=2258"],
  ["ns=1;s=Mill;01=x", "nsu=urn:box;s=Mill;01=x"],
  ["nsu=http://a.b/c;i=12", "nsu=http://a.b/c;i=12"],
  [
    "nsu=http://a.b/c;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63",
    "nsu=http://a.b/c;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63",
  ],
  ["ns=2;b=bWlsbA==", "nsu=http://a.b/c;b=bWlsbA=="],
])("node id %s", (text, expected) => {
  expect(formatNodeId(parseNodeId(text, NAMESPACES), NAMESPACES)).toBe(expected);
});

test.each(["", "ns=1", "speed", "nsu=urn:unknown;i=1", "ns=1;i=x"])("node id %j is refused", (text) => {
  expect(() => parseNodeId(text, NAMESPACES)).toThrow();
});

test("browse paths keep the slashes and colons of URIs and of escaped names", () => {
  expect(parseBrowsePath("/Objects/nsu=http://a.b/c:Line/nsu=http://a.b/c:d/:Mill/1:A&/B&:C", NAMESPACES)).toEqual([
    { namespaceIndex: 0, name: "Objects" },
    { namespaceIndex: 2, name: "Line" },
    { namespaceIndex: 3, name: "Mill" },
    { namespaceIndex: 1, name: "A/B:C" },
  ]);
  expect(() => parseBrowsePath("/Objects//x", NAMESPACES)).toThrow(/empty name/);
});
