import { SharedAccessSignature } from "azure-iot-device";
import { describe, expect, test } from "vitest";
import { covers, isSignedBy, parseSas, signSas } from "./sas.ts";

const KEY = Buffer.from("0123456789abcdef0123456789abcdef").toString("base64");
const OTHER_KEY = Buffer.from("0123456789abcdef0123456789abcdeg").toString("base64");

test("a token of Microsoft's SDK is read and verified", () => {
  const text = SharedAccessSignature.create("localhost", "mill#1", KEY, 1_800_000_000).toString();
  const token = parseSas(text);
  expect(token).toMatchObject({ expiresMs: 1_800_000_000_000, policyName: undefined });
  if (token === undefined) return;
  expect(covers(token.resource, "localhost/devices/mill%231")).toBe(true);
  expect(isSignedBy(token, [null, OTHER_KEY, KEY])).toBe(true);
  expect(isSignedBy(token, [OTHER_KEY, null, ""])).toBe(false);
});

test("whatever is changed in it, it is no longer signed", () => {
  const text = signSas("hub/devices/a", KEY, 1_800_000_000_000, "device");
  for (const [from, to] of [
    ["devices%2Fa", "devices%2Fb"],
    ["1800000000", "1900000000"],
  ] as const) {
    const token = parseSas(text.replace(from, to));
    expect(token && isSignedBy(token, [KEY])).toBe(false);
  }
  expect(parseSas(text)?.policyName).toBe("device");
});

test.each([
  "",
  "Bearer x",
  "SharedAccessSignature sr=a&sig=b",
  "SharedAccessSignature sr=a&sig=%zz&se=1",
  "SharedAccessSignature sr=a&sig=b&se=soon",
  `SharedAccessSignature sr=${"a".repeat(9_000)}&sig=b&se=1`,
])("%j is not a token", (text) => {
  expect(parseSas(text)).toBeUndefined();
});

describe("a token for", () => {
  test.each([
    ["hub", "hub/devices/a", true],
    ["HUB:8883/", "hub/devices/a", true],
    ["hub/devices/a", "hub/devices/a/modules/m", true],
    ["hub/devices/a/modules/m", "hub/devices/a", false],
    ["hub/devices/a", "hub/devices/ab", false],
    ["hub/devices/A", "hub/devices/a", false],
    ["hub/Devices/a/MODULES/m", "hub/devices/a/modules/m", true],
    ["hub/devices/Devices", "hub/devices/devices", false],
    ["hub/devices/a%2Fmodules%2Fm", "hub/devices/a/modules/m", false],
    ["hub/devices/a/modules", "hub/devices/a", false],
    ["other", "hub/devices/a", false],
    ["", "hub", false],
  ])("%s opens %s: %s", (resource, path, wanted) => {
    expect(covers(resource, path)).toBe(wanted);
  });
});
