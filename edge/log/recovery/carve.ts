import { PageFile, type Version } from "./page-file.ts";
import {
  type Cell,
  isIntactLeaf,
  leafHeader,
  readCell,
  recordValues,
  type StoredValue,
  serialTypes,
  TABLE_LEAF,
} from "./record-format.ts";

/** A larger record is taken for damage. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;
const INTERIOR_OR_INDEX = new Set([0x02, 0x05, 0x0a]);

export interface CarvedRecord {
  /** The page of the record's cell, from 1. */
  readonly page: number;
  readonly rowid: number | bigint;
  /** A column that is the rowid itself is null here. */
  readonly values: readonly StoredValue[];
  /** Every byte was where the file said. When not, values end where the bytes did: cut, then null. */
  readonly complete: boolean;
  /** From a page whose commit is not in the write-ahead log: never committed, or its commit frame is damaged. */
  readonly uncommitted: boolean;
}

export interface CarveReport {
  pageSizeBytes: number;
  /** Pages looked at; one that is looked at in two versions counts twice. */
  pages: number;
  /** Table leaves that gave at least one record. */
  leafPages: number;
  /** Pages that say they are table leaves and gave nothing. */
  badPages: number;
  /** Cells that could not be read, in leaves that gave records. */
  brokenCells: number;
  records: number;
  /** Of those, the ones that are not complete. */
  incompleteRecords: number;
}

export interface CarveOptions {
  /** Default: the database's path with "-wal". It need not exist. */
  readonly walPath?: string;
  /** Tried after what the file's own header says. */
  readonly pageSizeBytes?: number;
  /** Default RECORD_BYTES_MAX. */
  readonly recordBytesMax?: number;
}

/** Each iteration reads the file anew and fills the report anew. */
export interface Carving extends Iterable<CarvedRecord> {
  readonly report: Readonly<CarveReport>;
}

/**
 * Finds the records of a SQLite file without its schema, b-trees or header: every page is read, in the newest version that
 * the WAL holds intact, and those that are leaves of rowid tables are taken apart
 * (https://www.sqlite.org/fileformat2.html sections 1.6, 1.7, 2.1). So it also finds deleted records on pages that are not
 * in use any more, records of every table mixed, and, where the WAL has uncommitted pages, a record twice: the caller
 * knows its own by magic bytes and checksums and removes duplicates. A record on an abandoned page may be complete in form and wrong in
 * content, when its overflow pages have been used again. Text must be UTF-8.
 *
 * Memory: one record (64 MiB at most), 1 MiB of pages, a few numbers for each page in the WAL. Damage never throws, nor does
 * an unreadable sector (zeros take its place); a missing file is an empty one.
 * @throws the system's error, while iterating, when a file is there and can't be opened
 */
export function carveRecords(dbPath: string, options: CarveOptions = {}): Carving {
  const report = emptyReport();
  return {
    report,
    *[Symbol.iterator]() {
      Object.assign(report, emptyReport());
      using file = new PageFile(dbPath, options.walPath ?? `${dbPath}-wal`, options.pageSizeBytes);
      yield* carvePages(file, report, options.recordBytesMax ?? RECORD_BYTES_MAX);
    },
  };
}

function emptyReport(): CarveReport {
  return { pageSizeBytes: 0, pages: 0, leafPages: 0, badPages: 0, brokenCells: 0, records: 0, incompleteRecords: 0 };
}

function* carvePages(file: PageFile, report: CarveReport, recordBytesMax: number): Generator<CarvedRecord> {
  report.pageSizeBytes = file.pageSizeBytes;
  const older = Buffer.allocUnsafeSlow(file.pageSizeBytes);
  const carver = new LeafCarver(file, report, recordBytesMax);
  for (const { number, bytes, version } of file.everyPage()) {
    report.pages++;
    const before = report.records;
    yield* carver.records(number, bytes, version);
    if (report.records > before || version === "written" || !file.readOlder(number, older)) continue;
    report.pages++;
    yield* carver.records(number, older, "committed");
  }
}

class LeafCarver {
  readonly #file: PageFile;
  readonly #report: CarveReport;
  readonly #recordBytesMax: number;
  readonly #overflow: Buffer;

  constructor(file: PageFile, report: CarveReport, recordBytesMax: number) {
    this.#file = file;
    this.#report = report;
    this.#recordBytesMax = recordBytesMax;
    this.#overflow = Buffer.allocUnsafeSlow(file.pageSizeBytes);
  }

  *records(number: number, page: Buffer, version: Version): Generator<CarvedRecord> {
    const report = this.#report;
    const usableBytes = this.#file.usableBytes;
    const base = number === 1 ? 100 : 0; // page 1 begins with the file's header
    if (!mayBeLeaf(page, base, usableBytes)) return;
    const header = leafHeader(page, base, usableBytes);
    let found = 0;
    let broken = 0;
    for (let n = 0; header && n < header.cells; n++) {
      const at = page.readUInt16BE(header.pointersAtBytes + 2 * n);
      const cell =
        at >= header.pointersEndBytes && at <= usableBytes - 4
          ? readCell(page, at, usableBytes, this.#recordBytesMax)
          : undefined;
      const types = cell && serialTypes(page, cell.localAtBytes, cell.localBytes, cell.payloadBytes);
      if (!cell || !types) {
        broken++;
        continue;
      }
      found++;
      report.records++;
      const { payload, complete } = this.#payloadOf(page, cell, version);
      if (!complete) report.incompleteRecords++;
      yield {
        page: number,
        rowid: cell.rowid,
        values: recordValues(payload, types),
        complete,
        uncommitted: version === "written",
      };
    }
    if (found > 0) {
      report.leafPages++;
      report.brokenCells += broken;
    } else if (!header || header.cells > 0) report.badPages++;
  }

  /** The payload, from overflow pages where it does not end in the page (section 1.7); what could be had of it. */
  #payloadOf(page: Buffer, cell: Cell, version: Version): { payload: Buffer; complete: boolean } {
    const payload = Buffer.allocUnsafe(cell.payloadBytes);
    let bytes = page.copy(payload, 0, cell.localAtBytes, cell.localAtBytes + cell.localBytes);
    let next = cell.firstOverflowPage;
    const seen = new Set<number>();
    while (bytes < payload.length && next >= 2 && !seen.has(next)) {
      seen.add(next);
      if (!this.#file.read(next, version, this.#overflow)) break;
      next = this.#overflow.readUInt32BE(0);
      bytes += this.#overflow.copy(payload, bytes, 4, this.#file.usableBytes);
    }
    return { payload: payload.subarray(0, bytes), complete: bytes === payload.length && next === 0 };
  }
}

/** The type says table leaf; or one bit of it was flipped, and everything else says so. */
function mayBeLeaf(page: Buffer, base: number, usableBytes: number): boolean {
  const type = page[base] ?? 0;
  if (type === TABLE_LEAF) return true;
  const flipped = type ^ TABLE_LEAF;
  return (flipped & (flipped - 1)) === 0 && !INTERIOR_OR_INDEX.has(type) && isIntactLeaf(page, base, usableBytes);
}
