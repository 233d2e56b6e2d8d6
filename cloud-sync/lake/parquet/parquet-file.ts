import { type FileHandle, open } from "node:fs/promises";
import { type EncodedChunk, encodeChunk, PHYSICAL } from "./chunk.ts";
import type { Column, ColumnSpec, ColumnType } from "./column.ts";
import { type ThriftField, type ThriftValue, thriftStruct } from "./thrift.ts";

const MAGIC = Buffer.from("PAR1");
const FORMAT_VERSION = 2;
const CONVERTED = { utf8: 0, timeMillis: 9, timeMicros: 10 } as const;
const CREATED_BY = "tailstock";

/** Writes one Parquet file: row groups as they come, the footer at the end. Nothing is readable before `finish`. */
export class ParquetFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #specs: readonly ColumnSpec[];
  readonly #level: number;
  readonly #groups: ThriftValue[] = [];
  #rows = 0;
  #bytes = 0;
  #isOpen = true;

  private constructor(file: FileHandle, specs: readonly ColumnSpec[], level: number) {
    this.#file = file;
    this.#specs = specs;
    this.#level = level;
  }

  /** @param level of zstd */
  static async create(path: string, specs: readonly ColumnSpec[], level: number): Promise<ParquetFile> {
    const file = new ParquetFile(await open(path, "w"), specs, level);
    await file.#write([MAGIC]);
    return file;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param columns in the order of the file's specs, `rows` values each */
  async writeGroup(columns: readonly Column[], rows: number): Promise<void> {
    if (rows === 0) return;
    const chunks = await Promise.all(columns.map((column) => encodeChunk(column, rows, this.#level)));
    const from = this.#bytes;
    const described: ThriftValue[] = [];
    for (const chunk of chunks) {
      described.push(describedChunk(chunk, this.#bytes));
      await this.#write(chunk.bytes);
    }
    this.#groups.push({
      struct: [
        [1, { list: described }],
        [2, { i64: chunks.reduce((sum, { rawBytes }) => sum + rawBytes, 0) }],
        [3, { i64: rows }],
        [5, { i64: from }],
        [6, { i64: this.#bytes - from }],
      ],
    });
    this.#rows += rows;
  }

  /** Closes the file, its content safe on the disk. */
  async finish(): Promise<void> {
    const footer = thriftStruct([
      [1, { i32: FORMAT_VERSION }],
      [2, { list: [rootElement(this.#specs.length), ...this.#specs.map(element)] }],
      [3, { i64: this.#rows }],
      [4, { list: this.#groups }],
      [6, { bytes: CREATED_BY }],
      [7, { list: this.#specs.map(() => ({ struct: [[1, { struct: [] }]] })) }],
    ]);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    await this.#write([footer, length, MAGIC]);
    await this.#file.sync();
    await this[Symbol.asyncDispose]();
  }

  async #write(parts: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(parts);
    await this.#file.writeFile(bytes);
    this.#bytes += bytes.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }
}

function describedChunk(chunk: EncodedChunk, offset: number): ThriftValue {
  return {
    struct: [
      [2, { i64: offset }],
      [3, { struct: chunk.metadata(offset) }],
    ],
  };
}

function rootElement(columns: number): ThriftValue {
  return {
    struct: [
      [4, { bytes: "schema" }],
      [5, { i32: columns }],
    ],
  };
}

function element({ name, type, nullable }: ColumnSpec): ThriftValue {
  return {
    struct: [
      [1, { i32: type === "text" ? PHYSICAL.bytes : type === "double" ? PHYSICAL.double : PHYSICAL.int64 }],
      [3, { i32: nullable ? 1 : 0 }],
      [4, { bytes: name }],
      ...meaningOf(type),
    ],
  };
}

/** Times without a zone, UTC by convention: with one, DuckDB could do nothing with them unless it had its extension for zones. */
function meaningOf(type: ColumnType): ThriftField[] {
  const timestamp = (unit: number): ThriftValue => ({
    struct: [
      [
        8,
        {
          struct: [
            [1, { bool: false }],
            [2, { struct: [[unit, { struct: [] }]] }],
          ],
        },
      ],
    ],
  });
  if (type === "text")
    return [
      [6, { i32: CONVERTED.utf8 }],
      [10, { struct: [[1, { struct: [] }]] }],
    ];
  if (type === "time")
    return [
      [6, { i32: CONVERTED.timeMillis }],
      [10, timestamp(1)],
    ];
  if (type === "time-us")
    return [
      [6, { i32: CONVERTED.timeMicros }],
      [10, timestamp(2)],
    ];
  return [];
}
