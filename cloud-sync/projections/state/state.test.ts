import fc from "fast-check";
import { expect, test } from "vitest";
import { FUZZ_SEED } from "../../../test/support/any-events.ts";
import { testDatabase } from "../../../test/support/postgres.ts";
import { instant, jsonLiteral, numbersLiteral, textsLiteral } from "../sql/literals.ts";
import { BoundedMap } from "./bounded-map.ts";
import { NewestByEpoch } from "./newest-by-epoch.ts";
import { SeqSet } from "./seq-set.ts";
import { SignalSets } from "./signal-sets.ts";

const range = fc.tuple(fc.nat(60), fc.nat(8)).map(([first, more]) => [first, first + more] as const);

test("a set of seqs is what a set of numbers is", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 20 }), range, (added, [first, last]) => {
      const set = new SeqSet();
      const model = new Set<number>();
      for (const [from, to] of added) {
        set.add(from, to);
        for (let seq = from; seq <= to; seq++) model.add(seq);
      }
      expect([set.count, SeqSet.of(set.flat()).flat()]).toEqual([model.size, set.flat()]);
      for (let seq = -1; seq < 72; seq++) expect(set.has(seq)).toBe(model.has(seq));
      const missing = new Set<number>();
      for (const [from, to] of set.missing(first, last)) for (let seq = from; seq <= to; seq++) missing.add(seq);
      for (let seq = -1; seq < 72; seq++) expect(missing.has(seq)).toBe(seq >= first && seq <= last && !model.has(seq));
      const ends = [...set];
      for (let i = 1; i < ends.length; i++) expect(ends[i]?.[0]).toBeGreaterThan((ends[i - 1]?.[1] ?? 0) + 1);
    }),
    { seed: FUZZ_SEED },
  );
});

test("the newest fact does not depend on the order in which facts come", () => {
  const fact = fc.record({ epoch: fc.constantFrom("a", "b"), seq: fc.nat(9), atMs: fc.nat(50) });
  fc.assert(
    fc.property(
      fc.uniqueArray(fact, { selector: ({ epoch, seq }) => `${epoch}${seq}` }),
      fc.infiniteStream(fc.nat()),
      (facts, order) => {
        const newestOf = (list: typeof facts) => {
          const newest = new NewestByEpoch<string>();
          for (const { epoch, seq, atMs } of list) newest.add(epoch, seq, atMs, atMs, `${epoch}${seq}`);
          return newest.newest();
        };
        const shuffled = facts
          .map((each) => ({ each, key: order.next().value as number }))
          .sort((a, b) => a.key - b.key);
        expect(newestOf(shuffled.map(({ each }) => each))).toEqual(newestOf(facts));
      },
    ),
    { seed: FUZZ_SEED },
  );
});

test("what was used longest ago is forgotten first", () => {
  const map = new BoundedMap<string, number>(10);
  map.set("a", 1, 4);
  map.set("b", 2, 4);
  map.get("a");
  map.set("c", 3, 4);
  expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([1, undefined, 3]);
  map.set("large", 4, 100);
  expect([map.size, map.get("large")]).toEqual([1, 4]);
});

test("PostgreSQL reads back what is written for it", async () => {
  await using server = await testDatabase();
  const texts = ['q"uo\\te', "{a,b}", "", "NULL", null, "nul\0", "😀", "half \ud800", " s "];
  const numbers = [0.1, -0, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, 1.7976931348623157e308, 1, 1, 3];
  const { rows } = await server.database.query(
    "SELECT $1::text[] AS texts, $2::float8[] AS numbers, $3::jsonb AS json, $4::timestamptz AS early, $5::timestamptz AS late",
    [
      textsLiteral(texts),
      numbersLiteral(numbers, (i) => i !== 6),
      jsonLiteral({ "k\0": [1n, "\0", Number.NaN, "\udfff"], n: null }),
      instant(-1e300),
      instant(Number.POSITIVE_INFINITY),
    ],
  );
  expect(rows[0]).toEqual({
    texts: ['q"uo\\te', "{a,b}", "", "NULL", null, "nul\ufffd", "😀", "half \ufffd", " s "],
    numbers: numbers.map((number, i) => (i === 6 ? null : number + 0)),
    json: { "k\ufffd": [1, "\ufffd", null, "\ufffd"], n: null },
    early: new Date("0001-01-01T00:00:00.000Z"),
    late: new Date("9999-12-31T23:59:59.999Z"),
  });
});

test("two processes that name a machine's signals at once agree", async () => {
  await using server = await testDatabase();
  const each = [new SignalSets(server.database), new SignalSets(server.database)];
  for (let i = 0; i < 8; i++) {
    const needed = (own: number) => new Map(["m", "n"].map((machine) => [machine, [`s${i}`, `own ${own}.${i}`]]));
    const sets = await Promise.all(each.map((signals, own) => signals.having(needed(own))));
    for (const [own, set] of sets.entries())
      for (const [machine, names] of needed(own))
        for (const name of names) expect(set.get(machine)?.indexByName.has(name)).toBe(true);
  }
  const { rows } = await server.database.query<{ machine_id: string; signals: string[] }>(
    "SELECT machine_id, signals FROM model.signal_set ORDER BY machine_id, set_no",
  );
  for (const [i, row] of rows.entries()) {
    const before = rows[i - 1];
    expect(new Set(row.signals).size).toBe(row.signals.length);
    if (before?.machine_id === row.machine_id)
      expect(row.signals.slice(0, before.signals.length)).toEqual(before.signals);
  }
  expect(rows.at(-1)?.signals).toHaveLength(24);
});
