import { createHash } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  carve,
  insertRows,
  isOurs,
  isRow,
  MARK,
  type Made,
  make,
  openNew,
  SIZES_BYTES,
  valuesOf,
} from "../../../test/support/carved-rows.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { type CarvedRecord, carveRecords } from "./carve.ts";
import { readBytes } from "./read-bytes.ts";
import { isIntactLeaf } from "./record-format.ts";

/** What is whole is there, exactly; `damaged` are the pages that were touched. */
function expectIntactRows({ pagesOfRow }: Made, rows: Map<number, CarvedRecord[]>, damaged: Set<number>): void {
  const missing = [...pagesOfRow]
    .filter(([, pages]) => ![...pages].some((page) => damaged.has(page)))
    .map(([rowid]) => rowid)
    .filter((rowid) => !rows.get(rowid)?.some((record) => record.complete && isRow(record, rowid)));
  expect(missing).toEqual([]);
}

function damageOf(made: Made, change: (bytes: Buffer) => number[]): { path: string; damaged: Set<number> } {
  const bytes = readFileSync(made.path);
  const touched = change(bytes);
  const path = `${made.path}-damaged`;
  writeFileSync(path, bytes);
  return { path, damaged: new Set(touched.map((at) => Math.floor(at / made.pageSizeBytes) + 1)) };
}

test.each([512, 4_096, 65_536])("an intact file of %i-byte pages gives each row exactly once", (pageSizeBytes) => {
  const made = make({ pageSizeBytes });
  const { rows, carving } = carve(made.path);
  expectIntactRows(made, rows, new Set());
  expect([...rows.values()].map((each) => each.length)).toEqual(Array(120).fill(1));
  expect(carving.report).toMatchObject({ pageSizeBytes, badPages: 0, brokenCells: 0, incompleteRecords: 0 });
  // Three of the schema's own beside ours; the table without rowids is not among them.
  expect(carving.report.records).toBe(rows.size + 3);
  expect([...carving].filter(isOurs)).toHaveLength(120);
});

test.each([512, 1_024, 4_096, 65_536])("no header, no first page: the size of %i bytes is found", (pageSizeBytes) => {
  const made = make({ pageSizeBytes });
  for (const zeroedBytes of [100, pageSizeBytes]) {
    const { path, damaged } = damageOf(made, (bytes) => {
      bytes.fill(0, 0, zeroedBytes);
      return [0];
    });
    const { rows, carving } = carve(path);
    expect(carving.report.pageSizeBytes).toBe(pageSizeBytes);
    expectIntactRows(made, rows, damaged);
    expect(rows.size).toBe(120);
  }
});

test("a header that lies about page size and reserved bytes is not believed; a size that is given is only tried", () => {
  const made = make();
  const { path } = damageOf(made, (bytes) => {
    bytes.writeUInt16BE(8_192, 16);
    bytes[20] = 64;
    return [0];
  });
  const { rows, carving } = carve(path, { pageSizeBytes: 1_024 });
  expect(carving.report.pageSizeBytes).toBe(4_096);
  expectIntactRows(made, rows, new Set());
});

test("4 KiB holes of zeros or noise anywhere: every row whose own pages are intact is found", () => {
  const made = make();
  const length = readFileSync(made.path).length;
  const hole = fc.tuple(fc.integer({ min: 0, max: length - 4_096 }), fc.option(fc.integer()));
  fc.assert(
    fc.property(fc.array(hole, { minLength: 1, maxLength: 12 }), (holes) => {
      const { path, damaged } = damageOf(made, (bytes) =>
        holes.flatMap(([at, noise]) => {
          bytes.fill(noise === null ? 0 : createHash("sha512").update(`${noise}`).digest(), at, at + 4_096);
          return [at, at + 4_095];
        }),
      );
      expectIntactRows(made, carve(path).rows, damaged);
    }),
    { numRuns: 40 },
  );
});

test("flipped bits everywhere: nothing throws, and every row whose own pages are intact is found", () => {
  const made = make({ rows: 60 });
  const bits = readFileSync(made.path).length * 8;
  // Where structure is: the first bytes of pages, besides anywhere.
  const anyBit = fc.oneof(
    fc.integer({ min: 0, max: bits - 1 }),
    fc
      .tuple(fc.integer({ min: 0, max: bits / 8 / 4_096 - 1 }), fc.integer({ min: 0, max: 400 }))
      .map(([p, bit]) => p * 32_768 + bit),
  );
  fc.assert(
    fc.property(fc.array(anyBit, { minLength: 1, maxLength: 200 }), (flips) => {
      const { path, damaged } = damageOf(made, (bytes) =>
        flips.map((bit) => {
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return bit >> 3;
        }),
      );
      expectIntactRows(made, carve(path).rows, damaged);
    }),
    { numRuns: 60 },
  );
});

test("any bytes at all, with any WAL, throw nothing", () => {
  const folder = tempFolder();
  const path = join(folder, "noise.db");
  const leaves = fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Uint8Array.of(0x0d, 0, 0, 0, 9, ...bytes));
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 5_000 }), leaves),
      fc.uint8Array({ maxLength: 2_000 }),
      (db, wal) => {
        writeFileSync(path, db);
        writeFileSync(`${path}-wal`, wal);
        for (const record of carveRecords(path)) expect(record.values.length).toBeGreaterThan(0);
      },
    ),
    { numRuns: 100 },
  );
});

test("a truncated file gives what lies before the cut, and cut records up to it", () => {
  const made = make();
  const length = readFileSync(made.path).length;
  for (const keptBytes of [length - 1, length - 4_096 * 30 + 17, 4_096 * 40, 300_000, 5_000, 100, 1, 0]) {
    const path = `${made.path}-cut`;
    writeFileSync(path, readFileSync(made.path));
    truncateSync(path, keptBytes);
    const lost = new Set<number>();
    for (let page = Math.floor(keptBytes / 4_096) + 1; page <= length / 4_096; page++) lost.add(page);
    const { rows, carving } = carve(path);
    expectIntactRows(made, rows, lost);
    for (const [rowid, [record]] of rows) {
      if (record?.complete !== false) continue;
      const whole = valuesOf(rowid);
      expect(record.values.slice(0, 5)).toEqual(whole.slice(0, 5));
      const data = record.values[5];
      if (Buffer.isBuffer(data)) expect(data).toEqual((whole[5] as Buffer).subarray(0, data.length));
      else expect(data).toBeNull();
    }
    expect(carving.report.pages).toBe(Math.ceil(keptBytes / 4_096));
  }
});

test("a chain of overflow pages that goes round, or out of the file, ends", () => {
  const made = make();
  const [rowid, pages] = [...made.pagesOfRow].find(([id]) => id % SIZES_BYTES.length === 9) ?? [0, new Set<number>()];
  const overflow = [...pages].slice(1);
  const [first = 0, second = 0] = overflow;
  for (const target of [first, 0xfffffff0, 1, 0]) {
    const { path, damaged } = damageOf(made, (bytes) => {
      bytes.writeUInt32BE(target, (second - 1) * 4_096);
      return [(second - 1) * 4_096];
    });
    const { rows } = carve(path);
    expect(rows.get(rowid)).toMatchObject([{ complete: false }]);
    const data = rows.get(rowid)?.[0]?.values[5] as Buffer;
    expect(data.equals((valuesOf(rowid)[5] as Buffer).subarray(0, data.length))).toBe(true);
    expectIntactRows(made, rows, damaged);
  }
});

test("a leaf whose type has one bit flipped is still a leaf if all else is right", () => {
  const made = make();
  const [leaf = 0] = made.pagesOfRow.get(1) ?? [];
  for (const type of [0x0c, 0x0f, 0x09, 0x1d, 0x2d, 0x4d, 0x8d]) {
    const { path } = damageOf(made, (bytes) => {
      bytes[(leaf - 1) * 4_096] = type;
      return [];
    });
    expectIntactRows(made, carve(path).rows, new Set());
  }
});

test("a cell whose numbers contradict each other is broken, and costs no other cell", () => {
  const made = make();
  const original = readFileSync(made.path);
  // A short cell in a leaf of several: payload length, rowid, header length, serial types, one byte each.
  const cellAt = [...made.pagesOfRow.values()]
    .map(([leaf = 0]) => (leaf - 1) * 4_096)
    .filter((pageAt) => original.readUInt16BE(pageAt + 3) > 1)
    .flatMap((pageAt) =>
      Array.from(
        { length: original.readUInt16BE(pageAt + 3) },
        (_, n) => pageAt + original.readUInt16BE(pageAt + 8 + 2 * n),
      ),
    )
    .find((at) => (original[at] ?? 0) < 128 && (original[at + 1] ?? 0) < 128);
  if (cellAt === undefined) throw new Error("no such cell");
  const length = original[cellAt] ?? 0;
  expect(original[cellAt + 3]).toBe(0);
  const changes: [number, number][] = [
    [0, length - 1],
    [0, length + 1],
    [0, 2],
    [2, 8],
    [3, 10], // null into a type that is never in a file, of 0 bytes too
    [4, 11],
    [4, 9],
  ];
  for (const [offset, value] of changes) {
    const { path } = damageOf(made, (bytes) => {
      bytes[cellAt + offset] = value;
      return [];
    });
    const { rows, carving } = carve(path);
    expect([carving.report.brokenCells, carving.report.records, rows.size]).toEqual([1, 122, 119]);
  }
});

test("rowids of any size", () => {
  const path = join(tempFolder(), "a.db");
  const database = openNew(path);
  const rowids = [
    -(2n ** 63n),
    -(2n ** 56n),
    -1n,
    0n,
    127n,
    128n,
    2n ** 49n,
    2n ** 53n,
    2n ** 55n,
    2n ** 56n,
    2n ** 63n - 1n,
  ];
  const insert = database.prepare("INSERT INTO row (id, mark) VALUES (?, ?)");
  for (const rowid of rowids) insert.run(rowid, MARK);
  database.close();
  expect([...carveRecords(path)].filter(isOurs).map(({ rowid }) => BigInt(rowid))).toEqual(rowids);
});

test("a leaf is intact while cells, free blocks and fragments cover it once, as after any deletes", () => {
  const database = openNew(join(tempFolder(), "a.db"));
  insertRows(database, 1, 200);
  database.exec("DELETE FROM row WHERE id % 3 = 0; UPDATE row SET text = text || id WHERE id % 4 = 0");
  insertRows(database, 201, 230);
  const leaves = database.prepare("SELECT pageno FROM dbstat WHERE name = 'row' AND pagetype = 'leaf'").pluck();
  const numbers = leaves.all() as number[];
  database.pragma("wal_checkpoint(TRUNCATE)");
  const bytes = readFileSync(database.name);
  let freeBlocks = 0;
  for (const number of numbers) {
    const page = bytes.subarray((number - 1) * 4_096, number * 4_096);
    expect(isIntactLeaf(page, 0, 4_096)).toBe(true);
    if (page.readUInt16BE(1) !== 0) freeBlocks++;
    page[7] = (page[7] ?? 0) + 1;
    expect(isIntactLeaf(page, 0, 4_096)).toBe(false);
  }
  expect(freeBlocks).toBeGreaterThan(3);
  database.close();
});

test("records larger than the limit are left out", () => {
  const made = make();
  const { rows, carving } = carve(made.path, { recordBytesMax: 250_000 });
  expect(rows.size).toBe(120 - [...made.pagesOfRow.keys()].filter((id) => id % SIZES_BYTES.length === 9).length);
  expect(carving.report.brokenCells + carving.report.badPages).toBeGreaterThan(0);
});

test("what the disk refuses to read is zeros, and nothing beside it is lost", () => {
  const path = join(tempFolder(), "x");
  writeFileSync(path, Buffer.alloc(40_000, 7));
  const target = Buffer.alloc(50_000, 9);
  const failing = ((_fd: number, buffer: Buffer, offset: number, length: number, position: number) => {
    if (position < 12_288 && position + length > 8_192) throw Object.assign(new Error("EIO"), { code: "EIO" });
    const bytes = Math.max(0, Math.min(length, 40_000 - position));
    buffer.fill(7, offset, offset + bytes);
    return bytes;
  }) as Parameters<typeof readBytes>[3];
  expect(readBytes(0, target, 0, failing)).toBe(40_000);
  const sevens = target.filter((byte) => byte === 7).length;
  expect([sevens, target.filter((byte) => byte === 0).length]).toEqual([40_000 - 4_096, 10_000 + 4_096]);
});
