import { expect, test } from "vitest";
import { diffConfig } from "./diff.ts";
import { parseConfig } from "./load.ts";
import type { Config } from "./model.ts";

const BASE = `site: redmond
connections:
  line-a: { address: "opc.tcp://a", staleAfterMs: 4000 }
  line-b: { address: "modbus+tcp://b" }
machines:
  mill-01: { connection: line-a, signals: { speed: "i=11", load: { node: "i=12", unit: "%" } } }
  mill-02: { connection: line-a, signals: { speed: "i=21" } }
  press-01: { connection: line-b, unitId: 3, signals: { temperature: { holding: 30 } } }
`;

function configOf(text: string): Config {
  const parsed = parseConfig(text, { path: "tailstock.yaml" });
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

function changes(edit: (text: string) => string) {
  const after = edit(BASE);
  expect(after, "the edit hit").not.toBe(BASE);
  return diffConfig(configOf(BASE), configOf(after)).map(({ kind, connectionId, machineIds, effect, sentence }) => ({
    what: [kind, connectionId, effect, ...machineIds].join(" "),
    sentence,
  }));
}

test.each<[string, (text: string) => string]>([
  ["a comment", (text) => `# for the night shift\n${text}`],
  ["a default written out", (text) => text.replace('"opc.tcp://a"', '"opc.tcp://a", publishingIntervalMs: 100')],
  ["quotes", (text) => text.replace("site: redmond", 'site: "redmond"')],
  [
    "a type in place of signals of one's own would be one, but a spelled-out node is not",
    (text) => text.replace('"i=21"', '{ node: "i=21" }'),
  ],
])("%s changes nothing", (_what, edit) => {
  expect(changes(edit)).toEqual([]);
});

test.each<[string, (text: string) => string, string[], RegExp]>([
  [
    "a signal's unit",
    (t) => t.replace('"%"', "kW"),
    ["machines line-a apply redmond/mill-01"],
    /mill-01: load changed/,
  ],
  [
    "a new signal",
    (t) => t.replace('{ speed: "i=21"', '{ tool: "i=22", speed: "i=21"'),
    ["machines line-a apply redmond/mill-02"],
    /mill-02: tool added/,
  ],
  [
    "a signal gone",
    (t) => t.replace('speed: "i=11", ', ""),
    ["machines line-a apply redmond/mill-01"],
    /mill-01: speed removed/,
  ],
  [
    "a unit id",
    (t) => t.replace("unitId: 3", "unitId: 4"),
    ["machines line-b apply redmond/press-01"],
    /press-01: unitId changed/,
  ],
  [
    "a machine gone",
    (t) => t.replace(/ {2}mill-02.*\n/, ""),
    ["machines line-a apply redmond/mill-02"],
    /machine redmond\/mill-02 removed/,
  ],
  [
    "a new machine",
    (t) => `${t}  press-02: { connection: line-b, signals: { x: { coil: 1 }, y: { coil: 2 } } }\n`,
    ["machines line-b apply redmond/press-02"],
    /press-02 added with 2 signals/,
  ],
  [
    "a connection's timing",
    (t) => t.replace("4000", "6000"),
    ["connection-settings line-a new-driver "],
    /'line-a': staleAfterMs changed/,
  ],
  [
    "a connection's address",
    (t) => t.replace("modbus+tcp://b", "modbus+tcp://c"),
    ["connection-settings line-b new-driver "],
    /'line-b': transport changed/,
  ],
  [
    "settings and a machine",
    (t) => t.replace("4000", "6000").replace("i=21", "i=29"),
    ["connection-settings line-a new-driver redmond/mill-02"],
    /staleAfterMs changed; machine redmond\/mill-02: speed changed/,
  ],
  [
    "a new connection",
    (t) => `${t}  oven-01: { address: "opc.tcp://o", signals: { x: "i=1" } }\n`,
    ["connection-added opc.tcp://o:4840 new-driver redmond/oven-01"],
    /was added, with redmond\/oven-01/,
  ],
  [
    "a connection gone",
    (t) => t.replace(/ {2}press-01.*\n/, ""),
    ["connection-removed line-b new-driver redmond/press-01"],
    /'line-b' was removed/,
  ],
  [
    "the log",
    (t) => `${t}log: { commitIntervalMs: 100 }\n`,
    ["log  restart"],
    /commitIntervalMs changed; this takes effect at the next start/,
  ],
  ["the dashboard", (t) => `${t}dashboard: { port: 8081 }\n`, ["dashboard  restart"], /port changed/],
  ["a line to the cloud", (t) => `${t}uplink: { identity: iot-edge }\n`, ["uplink  apply"], /^uplink was added$/],
  ["certificates", (t) => `${t}opcua: { pkiPath: other }\n`, ["opcua  restart"], /pkiPath changed/],
])("%s is told as what it is", (_what, edit, expected, sentence) => {
  const found = changes(edit);
  expect(found.map(({ what }) => what.trim())).toEqual(expected.map((what) => what.trim()));
  expect(found[0]?.sentence).toMatch(sentence);
});

test("of the uplink the changed keys are named, its removal is one change, and another order of commands none", () => {
  const withUplink = (keys: string) => configOf(`${BASE}uplink: { identity: iot-edge, ${keys} }\n`);
  const before = withUplink("latencyMs: 4000, allow: [ping, status]");
  expect(diffConfig(before, withUplink("latencyMs: 4000, allow: [status, ping, ping]"))).toEqual([]);
  expect(diffConfig(before, withUplink("latencyMs: 7000, allow: [ping]"))).toMatchObject([
    {
      kind: "uplink",
      effect: "apply",
      connectionId: null,
      sentence: "uplink: latencyMs, allow changed; it begins anew",
    },
  ]);
  expect(diffConfig(before, configOf(BASE))).toMatchObject([
    { kind: "uplink", effect: "apply", sentence: "uplink was removed" },
  ]);
});

test("a new site renames every machine and says so first", () => {
  const found = changes((text) => text.replace("redmond", "bellevue"));
  expect(found.map(({ what }) => what.split(" ")[0])).toEqual(["site", "machines", "machines"]);
});

test("a long list is cut with a count, and a password never shows", () => {
  const many = Array.from(
    { length: 9 },
    (_, i) => `  m${i}: { connection: line-b, signals: { x: { coil: ${i} } } }\n`,
  ).join("");
  expect(changes((text) => text + many)[0]?.sentence).toMatch(/and 4 more$/);
  const secret = (password: string): Config => {
    const config = configOf(BASE);
    const [first, ...rest] = config.connections;
    if (first?.protocol !== "opcua") throw new Error("line-a is OPC UA");
    return { ...config, connections: [{ ...first, identity: { kind: "user", username: "u", password } }, ...rest] };
  };
  const [change] = diffConfig(secret("hunter1"), secret("hunter2"));
  expect(change?.effect).toBe("new-driver");
  expect(change?.sentence).toBe("connection 'line-a': identity changed");
});
