import { type Column, type ColumnSpec, NumberColumn, TextColumn } from "./column.ts";
import { ParquetFile } from "./parquet-file.ts";

/** As many as DuckDB gives to one thread. */
export const GROUP_ROWS_MAX = 122_880;
/** Of different texts in one column of a row group. */
const GROUP_CHARACTERS_MAX = 8 * 1024 * 1024;

/** Rows of one file, gathered into row groups; columns are filled by whoever has the rows. */
export class RowSink {
  readonly path: string;
  readonly columns: readonly Column[];
  readonly #specs: readonly ColumnSpec[];
  readonly #level: number;
  #file: ParquetFile | undefined;
  #rows = 0;

  constructor(path: string, specs: readonly ColumnSpec[], level: number) {
    this.path = path;
    this.#specs = specs;
    this.#level = level;
    this.columns = specs.map((spec) => (spec.type === "text" ? new TextColumn(spec) : new NumberColumn(spec)));
  }

  /** Of the row group that is being gathered. */
  get rows(): number {
    return this.#rows;
  }

  /** After each column has got its value. @returns whether the row group is full: flush before the next row */
  endRow(): boolean {
    this.#rows++;
    return this.#rows >= GROUP_ROWS_MAX || ((this.#rows & 0xff) === 0 && this.#isHeavy());
  }

  #isHeavy(): boolean {
    return this.columns.some((column) => column instanceof TextColumn && column.characters > GROUP_CHARACTERS_MAX);
  }

  /** Writes what is gathered as a row group. */
  async flush(): Promise<void> {
    if (this.#rows === 0) return;
    this.#file ??= await ParquetFile.create(this.path, this.#specs, this.#level);
    await this.#file.writeGroup(this.columns, this.#rows);
    for (const column of this.columns) column.clear();
    this.#rows = 0;
  }

  /** @returns rows and bytes of the file, which is complete and safe on the disk; undefined when there was no row */
  async finish(): Promise<{ readonly rows: number; readonly bytes: number } | undefined> {
    await this.flush();
    const file = this.#file;
    if (file === undefined) return undefined;
    await file.finish();
    return { rows: file.rows, bytes: file.bytes };
  }

  /** Gives the file up; it stays where it is, unfinished. */
  async abandon(): Promise<void> {
    await this.#file?.[Symbol.asyncDispose]();
  }
}
