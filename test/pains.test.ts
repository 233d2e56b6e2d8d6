import { expect, test } from "vitest";
import { sourceFiles, withoutComments } from "./support/source-tree.ts";

/**
 * Pains of the products that shops run today, each a promise: a test with the id in its name shows that Tailstock does
 * not have it. The list grows with the product; an id never leaves it.
 */
const PROMISED: Readonly<Record<string, string>> = {
  P01: "a backlog is stuck after a reconnect until a restart",
  P02: "the buffer is lost on a restart",
  P03: "the disk grows and never shrinks",
  P04: "a corrupt store stops the collector, or is thrown away whole",
  P05: "a change of the configuration wipes the buffer",
  P06: "a full buffer never recovers",
  P07: "nobody knows how long an outage the buffer survives",
  P08: "duplicates after a restart or a reconnect",
  P09: "the hub's client loses messages without a word",
  P10: "one poison message blocks for ever",
  P11: "live data waits behind a backlog of hours",
  P12: "catching up takes the whole uplink",
  P13: "a subscription dies silently",
  P14: "sessions leak on the machine's server",
  P15: "server limits cut off nodes silently",
  P16: "the poll rate is missed silently",
  P18: "a clock that jumps reorders or loses data",
  P19: "the wrong timestamp is kept",
  P20: "word order is wrong, or the address is off by one",
  P21: "one bad register fails the batch or the link",
  P22: "one dead unit stalls its line; stale replies",
  P24: "a configuration is larger than the twin",
  P25: "each tiny message is paid for",
  P26: "it does not start without internet",
  P27: "charts crash the browser",
  P28: "a durable buffer is never replayed",
  P29: "a bad configuration hangs or is lost",
  P30: "flash wears out, and nobody knows how fast",
};

/** Names of tests, as they stand in the source: of test files, and of contract suites that a test file runs. */
function namesById(): Map<string, string[]> {
  const files = sourceFiles().filter(({ path }) => path !== "test/pains.test.ts");
  const tests = files.filter(({ path }) => /\.test\.tsx?$/.test(path));
  const run = new Set(tests.flatMap(({ imports }) => imports));
  const suites = files.filter(
    ({ path }) => path.startsWith("test/contract/") && run.has(path) && !tests.some((t) => t.path === path),
  );
  const found = new Map<string, string[]>();
  for (const { path, text } of [...tests, ...suites]) {
    const code = withoutComments(text);
    const names = code.matchAll(
      /\b(?:test|it|describe)(?:\.(?!skip|todo)\w+(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|<[^<>()]*>)*)*\(\s*(["'`])((?:\\.|(?!\1)[\s\S])*)\1/g,
    );
    for (const [, , name = ""] of names) {
      for (const [id] of name.matchAll(/\bP\d\d\b/g)) found.set(id, [...(found.get(id) ?? []), `${path}: ${name}`]);
    }
  }
  return found;
}

const found = namesById();

test.each(Object.entries(PROMISED))("the promise %s has a test: %s", (id) => {
  expect(found.get(id) ?? [], `no test has ${id} in its name`).not.toEqual([]);
});

test("ids in the names of tests are ids of pains", () => {
  const unknown = [...found.keys()].filter((id) => Number(id.slice(1)) < 1 || Number(id.slice(1)) > 30);
  expect(unknown).toEqual([]);
});
