import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Check } from "typebox/value";
import { afterAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { parseAddress } from "./address.ts";
import { CONFIG_BYTES_MAX } from "./defaults.ts";
import { loadConfig, parseConfig } from "./load.ts";
import { browsePathFault, nodeIdFault } from "./node-id.ts";
import { ConfigFileSchema, configJsonSchema } from "./schema.ts";
import { nearest } from "./suggest.ts";
import { nearestUnit, UNITS, unitOf } from "./units.ts";

const at = mkdtempSync(join(tmpdir(), "tailstock-config-"));
afterAll(() => rmSync(at, { recursive: true, force: true }));
const GOLDEN = join(import.meta.dirname, "../../../test/golden/config/valid-all-fields/tailstock.yaml");

function file(name: string, text: string | Uint8Array): string {
  const path = join(at, name);
  writeFileSync(path, text);
  return path;
}

test("loadConfig names every problem with file, line, column and path, and keeps the hints", async () => {
  const path = file("bad.yaml", "site: redmond\nmachines:\n  m: { address: h, singals: {} }\n  n: { type: mil }\n");
  await expect(loadConfig(path)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    retry: "never",
    message: [
      `${path}:3:17 machines.m.address: the address can't be used: 'h' has no scheme such as opc.tcp://`,
      `${path}:3:20 machines.m.singals: unknown key 'singals'; did you mean 'signals'?`,
      `${path}:4:3 machines.n: neither connection nor address is given; a machine needs one of them`,
      `${path}:4:14 machines.n.type: machine type 'mil' does not exist`,
    ].join("\n"),
    hint: expect.stringContaining("add it under machineTypes:"),
  });
});

test("loadConfig gives the hash of the bytes and the path as it was given", async () => {
  const loaded = await loadConfig(GOLDEN);
  expect(loaded.path).toBe(GOLDEN);
  expect(loaded.sha256).toBe(createHash("sha256").update(readFileSync(GOLDEN)).digest("hex"));
  expect(loaded.files).toEqual([
    join(GOLDEN, "../secrets/line-a"),
    join(GOLDEN, "../secrets/hub"),
    join(GOLDEN, "../pki/hub-ca.pem"),
  ]);
});

test.each([
  ["missing", () => join(at, "none.yaml"), /does not exist/],
  ["a folder", () => at, /is a folder/],
  ["too large", () => file("large.yaml", new Uint8Array(CONFIG_BYTES_MAX + 1)), /more than the 4194304/],
])("loadConfig says why a file can't be read: %s", async (_why, path, message) => {
  await expect(loadConfig(path())).rejects.toMatchObject({
    code: "CONFIG_UNREADABLE",
    message: expect.stringMatching(message),
  });
});

test("a hostile text is refused in a moment and without a crash", () => {
  const hostile = [
    "[".repeat(200_000),
    "{a: ".repeat(50_000),
    `x: ${"&a ".repeat(10_000)}`,
    Array.from({ length: 30 }, (_, i) => `k${i}: &a${i} [${i === 0 ? "x" : `*a${i - 1}, *a${i - 1}`}]`).join("\n"),
    "site: redmond\nmachines:\n  __proto__: { address: 'modbus+tcp://h', signals: { constructor: { holding: 0 }, __proto__: { holding: 1 } } }\n",
    "? [complex]\n: 1\n",
    "a: *a\n",
    "a: &a [*a]\n",
    "\0\0\0",
    `site: ${"x".repeat(100_000)}`,
  ];
  const startMs = performance.now();
  for (const text of hostile) {
    const parsed = parseConfig(text, { path: join(at, "hostile.yaml") });
    expect("problems" in parsed && parsed.problems.length > 0, text.slice(0, 60)).toBe(true);
    if ("problems" in parsed) for (const problem of parsed.problems) expect(problem.message.length).toBeLessThan(400);
  }
  expect(performance.now() - startMs).toBeLessThan(10_000);
  expect(({} as Record<string, unknown>).address).toBeUndefined();
});

test("thousands of mistakes are told in bounded time and space", async () => {
  const startMs = performance.now();
  const signals = Array.from({ length: 3_000 }, (_, i) => `      s${i}: { holding: -1, sale: 2 }`).join("\n");
  const path = file(
    "many.yaml",
    `site: redmond\nmachines:\n  m:\n    address: modbus+tcp://h\n    signals:\n${signals}\n`,
  );
  const error = await loadConfig(path).catch((e: unknown) => e as Error);
  expect(error).toBeInstanceOf(Error);
  if (!(error instanceof Error)) return;
  expect(error.message.split("\n").length).toBe(201);
  expect(error.message).toMatch(/and \d+ more$/);
  // Mistakes that the shape does not show, so that the builders see each of them.
  const units = Array.from({ length: 9_000 }, (_, i) => `      s${i}: { holding: 0, unit: u${i} }`).join("\n");
  const parsed = parseConfig(`site: s\nmachines:\n  m:\n    address: modbus+tcp://h\n    signals:\n${units}\n`, {
    path,
  });
  expect("problems" in parsed && parsed.problems).toHaveLength(9_000);
  expect(performance.now() - startMs).toBeLessThan(15_000);
});

// Goal: whatever stands in the file, reading it gives a configuration or reasons, each with a place inside the file.
// Method: fast-check puts strange values, keys and removals anywhere into the file that has every key.
test("a mutilated file is read or refused with places, never a crash", () => {
  const original = parse(readFileSync(GOLDEN, "utf8")) as unknown;
  const paths = pathsOf(original);
  const strange = fc.oneof(
    fc.constantFrom<unknown>(
      undefined,
      null,
      "",
      "\x24{x}",
      "none",
      "ns=2;s=a",
      "50%",
      "opc.tcp://h",
      "modbus+tcp://h",
      -1,
      0.5,
      70_000,
      1e300,
      true,
      [],
      {},
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const mutation = fc.record({
    path: fc.constantFrom(...paths),
    key: fc.option(fc.constantFrom("node", "x y", "type", "__proto__", "5")),
    value: strange,
  });
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      const mutated = structuredClone(original);
      for (const { path, key, value } of mutations) put(mutated, key === null ? path : [...path, key], value);
      const text = stringify(mutated);
      const parsed = parseConfig(text, { path: GOLDEN });
      if (!("problems" in parsed)) {
        accepted++;
        return;
      }
      expect(parsed.problems.length).toBeGreaterThan(0);
      const lines = text.split("\n");
      for (const { line, column, message } of parsed.problems) {
        expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
        expect(message).not.toMatch(/undefined|\[object/);
      }
    }),
    { numRuns: 400 },
  );
  expect(accepted, "some mutations are harmless, else the test says little").toBeGreaterThan(5);
});

function pathsOf(value: unknown, at: readonly string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [[...at]];
  const inner = Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...at, key]));
  return at.length === 0 ? inner : [[...at], ...inner];
}

function put(root: unknown, path: readonly string[], value: unknown): void {
  let current = root;
  for (const key of path.slice(0, -1)) {
    if (typeof current !== "object" || current === null) return;
    current = (current as Record<string, unknown>)[key];
  }
  const last = path.at(-1);
  if (typeof current !== "object" || current === null || last === undefined) return;
  if (value === undefined) delete (current as Record<string, unknown>)[last];
  else Object.defineProperty(current, last, { value, enumerable: true, configurable: true, writable: true });
}

test("the JSON schema for editors accepts the documented file and refuses a wrong key", () => {
  const schema = configJsonSchema();
  expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
  const value = parse(readFileSync(GOLDEN, "utf8")) as Record<string, unknown>;
  expect(Check(schema, value)).toBe(true);
  expect(Check(schema, { ...value, dashbord: {} })).toBe(false);
  expect(Check(ConfigFileSchema, { ...value, site: 5 })).toBe(false);
  expect(JSON.stringify(schema)).toContain('"default":1000');
});

test.each([
  [
    "modbus+tcp://Press.local",
    { key: "modbus+tcp://press.local:502", unitId: null, transport: { kind: "tcp", host: "press.local", port: 502 } },
  ],
  [
    "modbus+rtu-tcp://10.0.0.9:4001?unitId=12",
    { unitId: 12, transport: { kind: "rtu-over-tcp", host: "10.0.0.9", port: 4001 } },
  ],
  ["modbus+tcp://[fe80::7]:1502", { transport: { kind: "tcp", host: "fe80::7", port: 1502 } }],
  [
    "modbus+rtu:///dev/ttyS3",
    { transport: { kind: "rtu", device: "/dev/ttyS3", baudRate: 19200, dataBits: 8, parity: "even", stopBits: 1 } },
  ],
  [
    "modbus+rtu://COM7?baudRate=9600&parity=none&stopBits=2&dataBits=7",
    { transport: { device: "COM7", baudRate: 9600, dataBits: 7, parity: "none", stopBits: 2 } },
  ],
  ["opc.tcp://Mill-6/", { key: "opc.tcp://mill-6:4840", endpointUrl: "opc.tcp://Mill-6:4840/" }],
  [
    "opc.tcp://mill-8:4841/UA/Server",
    { key: "opc.tcp://mill-8:4841/UA/Server", endpointUrl: "opc.tcp://mill-8:4841/UA/Server" },
  ],
])("address %s", (text, expected) => {
  expect(parseAddress(text)).toMatchObject(expected);
});

test.each([
  "i=2258",
  "ns=0;i=0",
  "ns=65535;i=4294967295",
  "ns=2;s=a;b=c d",
  "nsu=http://x/y;s=Ä",
  "g=09087E75-8E5E-499B-954F-F2A9603DB28A",
  "ns=1;b=M/RbKBsRVkePCePcx24oRA==",
])("node id %s is well formed", (text) => expect(nodeIdFault(text)).toBeUndefined());

test.each([
  "/Objects",
  "/Objects/2:Mill01/2:Speed",
  "/Objects/nsu=http://x/y:Line/2:A",
  "/0:Objects/3:a&/b/3:c&:d",
  "/Objects/3:a&&",
  "/Objects/2:Spindle speed",
])("browse path %s is well formed", (text) => expect(browsePathFault(text)).toBeUndefined());

test("units have one symbol each, and every alias leads to its own", () => {
  expect(new Set(UNITS.map(({ symbol }) => symbol)).size).toBe(UNITS.length);
  const owner = new Map<string, string>();
  for (const { symbol, aliases } of UNITS) {
    expect(unitOf(symbol)?.symbol).toBe(symbol);
    for (const alias of aliases) {
      expect(owner.get(alias), `'${alias}' has one meaning`).toBeUndefined();
      owner.set(alias, symbol);
      if (unitOf(alias) === undefined) expect(nearestUnit(alias)).toBe(symbol);
      else expect(unitOf(alias)?.symbol).toBe(symbol);
    }
  }
  expect(nearestUnit("wdigets", ["widgets"])).toBe("widgets");
  expect(nearestUnit("zzzz")).toBeUndefined();
});

test.each([
  ["sampleMs", ["pollIntervalMs", "samplingIntervalMs", "scale"], "samplingIntervalMs"],
  ["holdng", ["holding", "input"], "holding"],
  ["pollMs", ["samplingIntervalMs", "pollIntervalMs"], "pollIntervalMs"],
  ["nodeId", ["node", "path"], "node"],
  ["xyz", ["node", "path"], undefined],
])("for %s among %j the suggestion is %s", (word, candidates, expected) => {
  expect(nearest(word, candidates)).toBe(expected);
});
