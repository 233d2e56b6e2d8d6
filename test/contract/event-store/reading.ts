import { expect, test } from "vitest";
import { CONTAINERS } from "../../../cloud-sync/store/event-store.ts";
import { followed } from "../feed-reader.ts";
import { fresh, NEVER, note, type StoreInTest } from "./store-in-test.ts";

const ODD_NAMES = [
  "plain",
  "redmond/mill-07",
  "it's",
  'the "big" one',
  "100%",
  "%2F",
  "a\\b",
  "#7",
  "why?",
  "a;DROP TABLE x",
  "mühle 🏭",
  " leading and trailing ",
  "line\nbreak\ttab",
  "x".repeat(512),
  "鋼".repeat(256),
];

/** get, range, and names. */
export function testReading(t: StoreInTest): void {
  test("get keeps the order of the keys, with holes, and takes a key twice", async () => {
    const [p, q] = [fresh(), fresh()];
    await t.create(p, note("a"), note("b", "b", { ttl: "never" }));
    await t.create(q, note("a", "of q"));
    const keys = [
      { partition: q, id: "a" },
      { partition: p, id: "none" },
      { partition: p, id: "b" },
      { partition: { ...p, part: "none" }, id: "a" },
      { partition: p, id: "a" },
      { partition: p, id: "b" },
    ];
    const found = await t.store.get("telemetry", keys, NEVER);
    expect(found.map((document) => document?.fields.text)).toEqual(["of q", undefined, "b", undefined, "a", "b"]);
    expect(await t.store.get("telemetry", [], NEVER)).toEqual([]);
  });

  test("range goes by the bytes of the ids, whatever a language's order is, and within its bounds", async () => {
    const partition = fresh();
    const ids = ["Z", "a", "B", "aa", "a-b", "ab", "Ä", "ä", "z", "0", "10", "9", "￿", "😀", "a'b", "A_B", "A%B"];
    await t.create(partition, ...ids.map((id, i) => note(id, id, i % 3 === 0 ? { ttl: "never" } : {})));
    await t.create({ ...partition, part: "other" }, note("aaa"));
    const sorted = ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await t.idsOf(partition)).toEqual(sorted);
    const between = async (afterId: string, toId: string | undefined, limit: number): Promise<string[]> => {
      const bounds = { afterId, limit, ...(toId === undefined ? {} : { toId }) };
      return (await t.store.range("telemetry", partition, bounds, NEVER)).map(({ id }) => id);
    };
    const at = (id: string): number => sorted.indexOf(id);
    expect(await between("a", undefined, 3)).toEqual(sorted.slice(at("a") + 1, at("a") + 4));
    expect(await between("B", "ab", 100)).toEqual(sorted.slice(at("B") + 1, at("ab") + 1));
    expect(await between("a", "a", 100)).toEqual([]);
    expect(await between("b", "y", 100)).toEqual([]);
    expect(await between("😀", undefined, 100)).toEqual([]);
    const [toOnly] = await t.store.range("telemetry", partition, { toId: "0", limit: 5 }, NEVER);
    expect(toOnly?.id).toBe("0");
  });

  test("containers are apart", async () => {
    const partition = fresh();
    for (const container of CONTAINERS) {
      const operations = [{ op: "create" as const, document: note("a", container) }];
      const [result] = await t.store.commit(container, [{ partition, operations }], NEVER);
      expect(result?.status).toBe("done");
    }
    for (const container of CONTAINERS) {
      const [document] = await t.store.get(container, [{ partition, id: "a" }], NEVER);
      expect(document?.fields).toEqual({ text: container });
      const [inRange] = await t.store.range(container, partition, { limit: 5 }, NEVER);
      expect(inRange?.fields).toEqual({ text: container });
      const inFeed = (await followed(t.store, container)).documents;
      expect(inFeed.filter(({ partition: { stream } }) => stream === partition.stream)).toHaveLength(1);
    }
  });

  test("names are taken as they are, of streams, parts and ids", async () => {
    for (const odd of ODD_NAMES) {
      const id = odd.slice(0, 90);
      const partition = { stream: odd, part: `${odd}/1` };
      expect((await t.create(partition, note(id, odd))).status, odd).toBe("done");
      expect((await t.create(partition, note(id))).status, odd).toBe("exists");
      expect((await t.read(partition, id))?.partition, odd).toEqual(partition);
      expect(await t.idsOf(partition), odd).toEqual([id]);
    }
    const names = (await followed(t.store, "telemetry")).documents.map(({ partition }) => partition.stream);
    expect(names).toEqual(expect.arrayContaining(ODD_NAMES));
  });
}
