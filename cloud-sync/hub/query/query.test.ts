import { expect, test } from "vitest";
import type { JsonMap } from "../ports.ts";
import { holds } from "./evaluate.ts";
import { parseCondition, parseQuery } from "./parser.ts";
import { type QueryDocument, runQuery } from "./run-query.ts";

const DOCUMENTS: readonly JsonMap[] = [
  {
    deviceId: "a1",
    tags: { site: "redmond", floor: 1, "line no": "x" },
    properties: { reported: { load: 10, ok: true } },
  },
  { deviceId: "a2", tags: { site: "redmond", floor: 2 }, properties: { reported: { load: 30, ok: false } } },
  { deviceId: "b1", tags: { site: "oslo", floor: 2 }, properties: { reported: { load: "many", fault: null } } },
  { deviceId: "b2", tags: {}, properties: { reported: {} }, status: "disabled" },
];

function* source(afterKey: string | undefined): Iterable<QueryDocument> {
  for (const document of DOCUMENTS) {
    const key = String(document.deviceId);
    if (afterKey === undefined || key > afterKey) yield { key, document };
  }
}

async function idsWhere(where: string): Promise<unknown[]> {
  const { items } = await runQuery(parseQuery(`SELECT * FROM devices WHERE ${where}`), source, 100);
  return items.map(({ deviceId }) => deviceId);
}

test.each<[string, string[]]>([
  ["deviceId = 'a1'", ["a1"]],
  ["tags.site = 'redmond' AND tags.floor > 1", ["a2"]],
  ["tags.site = 'oslo' OR tags.floor = 1", ["a1", "b1"]],
  // OR binds weaker than AND, NOT stronger than both.
  ["tags.site = 'oslo' OR tags.site = 'redmond' AND tags.floor = 2", ["a2", "b1"]],
  ["NOT tags.site = 'oslo' AND NOT (tags.floor = 1)", ["a2"]],
  ["tags.site != 'oslo'", ["a1", "a2"]],
  ["tags.site <> 'oslo'", ["a1", "a2"]],
  ["tags.site IN ['oslo', 'paris']", ["b1"]],
  ["tags.site NIN ['oslo', 'paris']", ["a1", "a2"]],
  ["tags.site NOT IN ('oslo')", ["a1", "a2"]],
  ["properties.reported.load >= 10 and properties.reported.load <= 29.5", ["a1"]],
  ["properties.reported.load + 5 * 2 = 20", ["a1"]],
  ["properties.reported.load = 'many'", ["b1"]],
  ["properties.reported.ok", ["a1"]],
  ["properties.reported.ok = false", ["a2"]],
  ["IS_DEFINED(tags.site)", ["a1", "a2", "b1"]],
  ["NOT is_defined(tags.site)", ["b2"]],
  ["IS_DEFINED(properties.reported.fault) AND IS_NULL(properties.reported.fault)", ["b1"]],
  ["STARTSWITH(deviceId, 'b')", ["b1", "b2"]],
  ["tags['line no'] = \"x\"", ["a1"]],
  ["tags.[[line no]] = 'x'", ["a1"]],
  ["tags.floor = -(-2)", ["a2", "b1"]],
  ["status = 'disabled'", ["b2"]],
  ["status = 'it''s'", []],
])("WHERE %s", async (where, expected) => {
  expect(await idsWhere(where)).toEqual(expected);
});

test("projections have names, aliases of the source are understood", async () => {
  const { items } = await runQuery(
    parseQuery(
      "select d.deviceId, d.tags.site as place, d.properties.reported.load FROM devices d where d.tags.floor = 2",
    ),
    source,
    100,
  );
  expect(items).toEqual([
    { deviceId: "a2", place: "redmond", load: 30 },
    { deviceId: "b1", place: "oslo", load: "many" },
  ]);
});

test("aggregates, with and without groups", async () => {
  const all = async (text: string) => (await runQuery(parseQuery(text), source, 100)).items;
  expect(await all("SELECT COUNT() AS n FROM devices WHERE tags.floor = 2")).toEqual([{ n: 2 }]);
  expect(await all("SELECT COUNT(*) AS n, AVG(properties.reported.load) AS mean FROM devices")).toEqual([
    { n: 4, mean: 20 },
  ]);
  expect(await all("SELECT COUNT() AS n FROM devices WHERE deviceId = 'nobody'")).toEqual([{ n: 0 }]);
  expect(await all("SELECT tags.site, COUNT() AS n, MAX(tags.floor) AS top FROM devices GROUP BY tags.site")).toEqual([
    { site: "oslo", n: 1, top: 2 },
    { site: "redmond", n: 2, top: 2 },
    { n: 1 },
  ]);
});

test.each([
  ["SELECT * FROM devices", ["a1", "a2", "b1", "b2"]],
  ["SELECT TOP 3 * FROM devices", ["a1", "a2", "b1"]],
  ["SELECT * FROM devices WHERE tags.floor = 2", ["a2", "b1"]],
])("%s in pages of one gives the same as in one page", async (text, expected) => {
  const ids: unknown[] = [];
  let continuation: string | undefined;
  do {
    const page = await runQuery(parseQuery(text), source, 1, continuation);
    ids.push(...page.items.map(({ deviceId }) => deviceId));
    continuation = page.continuation;
  } while (continuation !== undefined && ids.length < 10);
  expect(ids).toEqual(expected);
});

test.each([
  ["SELEKT * FROM devices", /expected SELECT at 1/],
  ["SELECT * FROM machines", /cannot select FROM machines/],
  ["SELECT * FROM devices WHERE", /the query ends/],
  ["SELECT * FROM devices WHERE tags.a = 'x' ORDER BY deviceId", /ORDER BY is not supported/],
  ["SELECT * FROM devices WHERE ST_DISTANCE(tags.a, 1) < 2", /ST_DISTANCE is not supported/],
  ["SELECT * FROM devices WHERE IS_DEFINED(tags.a, tags.b)", /takes 1 operands, not 2/],
  ["SELECT deviceId, COUNT() FROM devices", /not in GROUP BY/],
  ["SELECT * FROM devices WHERE tags.a = 'x", /something unknown at 38/],
  ["SELECT * FROM devices WHERE a # b", /something unknown/],
  [`SELECT * FROM devices WHERE a${"+1".repeat(6_000)} = 1`, /more than 1000 operators/],
  [`SELECT * FROM devices WHERE a${" OR a".repeat(3_000)}`, /more than 1000 operators/],
  [`SELECT * FROM devices WHERE ${"(".repeat(5_000)}a${")".repeat(5_000)}`, /levels of nesting/],
  ["SELECT * FROM devices JOIN x", /expected the query's end/],
])("%s is refused with the reason", (text, reason) => {
  expect(() => parseQuery(text)).toThrow(reason);
});

test("a continuation that is none of ours is refused", async () => {
  await expect(runQuery(parseQuery("SELECT * FROM devices"), source, 10, "bm9uc2Vuc2U")).rejects.toThrow(
    /x-ms-continuation/,
  );
});

test("a condition alone: of a target, of a job", () => {
  const [first = {}, second = {}] = DOCUMENTS;
  const condition = parseCondition("tags.floor = 1");
  expect([holds(condition, first), holds(condition, second)]).toEqual([true, false]);
  expect([holds(parseCondition(""), first), holds(parseCondition("*"), first)]).toEqual([false, true]);
  expect(() => parseCondition("tags.floor = 1 garbage")).toThrow(/expected the query's end/);
});
