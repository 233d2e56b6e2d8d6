import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isTest, ROOT, type SourceFile, sourceFiles, withoutComments, withoutStrings } from "./support/source-tree.ts";

/**
 * What each part may import besides itself, the longest matching prefix deciding. Edge and cloud share the contract and
 * nothing else; drivers know the kernel and yield samples, the recorder beside them appends; modules wire and are wired
 * by nobody. A folder that is not listed here fails: a new part says where it stands.
 */
const CONTRACT = "cloud-sync/contract/";
const KERNEL = "edge/kernel/";
const LOG = "edge/log/";
const DATABASE = "cloud-sync/database/";
const STORE = "cloud-sync/store/";
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "cloud-sync/contract/": [],
  "edge/kernel/": [CONTRACT],
  "edge/log/": [CONTRACT, KERNEL],
  "edge/drivers/": [CONTRACT, KERNEL, LOG, "edge/drivers/"],
  "edge/drivers/opcua/": [CONTRACT, KERNEL, "edge/drivers/driver.ts"],
  "edge/drivers/modbus/": [CONTRACT, KERNEL, "edge/drivers/driver.ts"],
  "edge/drivers/driver.ts": [CONTRACT, KERNEL],
  "edge/scoring/": [CONTRACT, KERNEL, LOG, "models/"],
  "edge/alarms/": [CONTRACT, KERNEL, LOG],
  "edge/simulator/": [CONTRACT, KERNEL],
  "edge/dashboard/": [CONTRACT, KERNEL, LOG, "edge/drivers/", "edge/scoring/", "edge/alarms/", "cloud-sync/uplink/"],
  "edge/dashboard/web/": [CONTRACT, "edge/dashboard/schemas/", KERNEL],
  "edge/runtime/": [
    CONTRACT,
    KERNEL,
    LOG,
    "edge/drivers/",
    "edge/scoring/",
    "edge/alarms/",
    "edge/dashboard/",
    "cloud-sync/uplink/",
  ],
  "edge/cli/": ["edge/", "cloud-sync/", "models/"],
  "models/": [CONTRACT, KERNEL, "edge/scoring/"],
  "cloud-sync/uplink/": [CONTRACT, KERNEL, LOG],
  // The local hub is a process of its own that stands in for IoT Hub: it knows nothing of the edge but the tools of the kernel.
  "cloud-sync/hub/": [CONTRACT, KERNEL],
  // The cloud's parts meet in the database and in the event store's feed; the runtime and the commands put them together.
  "cloud-sync/database/": [KERNEL],
  "cloud-sync/config/": [KERNEL],
  "cloud-sync/store/": [CONTRACT, KERNEL, DATABASE],
  "cloud-sync/ingest/": [CONTRACT, KERNEL, DATABASE, STORE],
  "cloud-sync/projections/": [CONTRACT, KERNEL, DATABASE, STORE],
  "cloud-sync/lake/": [CONTRACT, KERNEL, DATABASE, STORE],
  "cloud-sync/scoring/": [
    CONTRACT,
    KERNEL,
    DATABASE,
    STORE,
    "cloud-sync/lake/",
    "cloud-sync/services/access/access.ts",
    "cloud-sync/services/http/",
    "models/",
  ],
  "cloud-sync/services/": [CONTRACT, KERNEL, DATABASE, STORE, "cloud-sync/config/model.ts"],
  "cloud-sync/office/": [CONTRACT, KERNEL, DATABASE, "cloud-sync/services/", "cloud-sync/config/model.ts"],
  // The office looks like the dashboard: styles, formats and names of status codes are its. Of the query service it knows the shapes of answers.
  "cloud-sync/office/web/": [CONTRACT, KERNEL, "edge/dashboard/web/", "cloud-sync/services/query/"],
  "cloud-sync/mirror/": [
    CONTRACT,
    KERNEL,
    LOG,
    DATABASE,
    STORE,
    "cloud-sync/ingest/",
    "cloud-sync/projections/",
    "cloud-sync/services/query/changes/schema.ts",
  ],
  // A mirror reads the log of a box.
  "cloud-sync/runtime/": [KERNEL, LOG, "cloud-sync/"],
  "modules/": ["edge/", "cloud-sync/", "models/"],
  "test/": ["edge/", "cloud-sync/", "models/", "modules/"],
};
const LINES_MAX = 400;

const files = sourceFiles();
const production = files.filter(({ path }) => !isTest(path));

function ruleOf(path: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((prefix) => path.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
}

/** The part that a file belongs to: a folder under edge/ or cloud-sync/, a driver's folder, else the top folder. */
function partOf(path: string): string {
  const rule = ruleOf(path) ?? path;
  return rule === "cloud-sync/" ? path.split("/").slice(0, 2).join("/") : rule;
}

function offences({ path, imports }: SourceFile): string[] {
  const rule = ruleOf(path);
  if (rule === undefined) return [`${path} stands in no part that MAY_IMPORT names`];
  return imports
    .filter(
      (target) => partOf(target) !== partOf(path) && !MAY_IMPORT[rule]?.some((prefix) => target.startsWith(prefix)),
    )
    .map((target) => `${path} imports ${target}`);
}

test("the tree is read: every import leads to a file", () => {
  expect(files.length).toBeGreaterThan(20);
  const lost = files.flatMap(({ path, imports }) =>
    imports.filter((target) => !existsSync(join(ROOT, target))).map((target) => `${path} imports ${target}`),
  );
  expect(lost).toEqual([]);
});

test("dependencies point one way", () => {
  expect(production.flatMap(offences)).toEqual([]);
});

test("nothing but tests imports from modules/", () => {
  const found = production.filter(
    ({ path, imports }) => !path.startsWith("modules/") && imports.some((t) => t.startsWith("modules/")),
  );
  expect(found.map(({ path }) => path)).toEqual([]);
});

test("there are no import cycles", () => {
  expect(cyclesOf(production)).toEqual([]);
});

test("there are no barrels, no default exports beside what a tool wants, and no .js imports of ours", () => {
  const found = production.flatMap(({ path, text, imports }) => [
    ...(isBarrel(text) ? [`${path} only re-exports`] : []),
    ...(/(?:^|\n)export default\b/.test(withoutStrings(text)) && !/\.config\.ts$/.test(path)
      ? [`${path} exports a default`]
      : []),
    ...imports
      .filter((target) => !/\.(?:tsx?|json|css|mjs)$/.test(target))
      .map((target) => `${path} imports ${target}`),
  ]);
  expect(found).toEqual([]);
});

test("no any, no enums, no TODO", () => {
  const found = files.flatMap(({ path, text }) => {
    const code = withoutStrings(text);
    return [
      ...(/(?:[:<|&,(]|\bas|=>)\s*any\b(?!\s*[(.:])|\bany\[\]/.test(code) ? [`${path} uses any`] : []),
      ...(/(?:^|\n)\s*(?:export\s+)?(?:const\s+)?enum\s+\w+\s*\{/.test(code) ? [`${path} has an enum`] : []),
      ...(/\/\/.*\b(?:TODO|FIXME|XXX)\b|\*.*\b(?:TODO|FIXME|XXX)\b/.test(text) && path !== "test/architecture.test.ts"
        ? [`${path} has a TODO`]
        : []),
    ];
  });
  expect(found).toEqual([]);
});

test(`no file is longer than ${LINES_MAX} lines`, () => {
  const long = files
    .map(({ path, text }) => ({ path, lines: text.split("\n").length }))
    .filter(({ lines }) => lines > LINES_MAX);
  expect(long).toEqual([]);
});

describe("the checks themselves find what they look for", () => {
  const file = (path: string, imports: string[]): SourceFile => ({ path, text: "", imports });
  test.each<[string, string, boolean]>([
    ["edge/kernel/x.ts", "edge/log/y.ts", true],
    ["edge/drivers/opcua/x.ts", "edge/log/y.ts", true],
    ["edge/drivers/opcua/x.ts", "edge/drivers/modbus/y.ts", true],
    ["edge/drivers/recorder.ts", "edge/log/y.ts", false],
    ["edge/dashboard/x.ts", "edge/cli/y.ts", true],
    ["edge/cli/x.ts", "modules/collector/main.ts", true],
    ["cloud-sync/ingest/x.ts", "edge/log/y.ts", true],
    ["cloud-sync/ingest/x.ts", "edge/kernel/y.ts", false],
    ["cloud-sync/ingest/x.ts", "cloud-sync/contract/event.ts", false],
    ["cloud-sync/contract/x.ts", "edge/kernel/y.ts", true],
    ["somewhere/x.ts", "somewhere/y.ts", true],
  ])("%s importing %s is refused: %s", (path, target, refused) => {
    expect(offences(file(path, [target])).length > 0).toBe(refused);
  });
  test("a cycle of three, a barrel, any", () => {
    expect(cyclesOf([file("a", ["b"]), file("b", ["c"]), file("c", ["a"]), file("d", ["a"])])).toEqual([
      ["a", "b", "c"],
    ]);
    expect(isBarrel('export * from "./a.ts";\nexport { b } from "./b.ts";\n')).toBe(true);
    expect(isBarrel('export { b } from "./b.ts";\nexport const a = 1;\n')).toBe(false);
    expect(isBarrel("")).toBe(false);
  });
});

function isBarrel(text: string): boolean {
  const statements = withoutComments(text)
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
  return statements.length > 0 && statements.every((s) => /^export\s[^=]*\sfrom\s*["']/s.test(s));
}

/** Each cycle once, from its first file in the alphabet. */
function cyclesOf(sources: readonly SourceFile[]): string[][] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      cycles.push([...trail.slice(at)]);
      return;
    }
    if (done.has(path)) return;
    for (const target of byPath.get(path)?.imports ?? []) if (byPath.has(target)) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of [...sources].sort((a, b) => (a.path < b.path ? -1 : 1))) visit(path, []);
  return cycles;
}
