import { type OpenFile, openForReading, readBytes } from "./read-bytes.ts";
import { isIntactLeaf, TABLE_LEAF } from "./record-format.ts";
import { PAGE_SIZES, readWalShape, WAL_HEADER_BYTES, type WalShape, walFrames } from "./wal-frames.ts";

const BLOCK_BYTES = 65_536;
/** Looking for the page size reads this many blocks of 64 KiB at most, evenly over the file. */
const SAMPLE_BLOCKS_MAX = 1_024;

/** Where a page's bytes are in the WAL. */
type FramePlaces = Map<number, number>;

/** Which version of a page: what was committed last, or what was written last though its commit is not there. */
export type Version = "committed" | "written";

export interface Page {
  readonly number: number;
  /** Valid until the next page. Always whole: what the file lacks at its end is zeros. */
  readonly bytes: Buffer;
  readonly version: Version;
}

/**
 * The pages of a database file that may be damaged in any way, each in the newest version that its WAL holds intact.
 * Nothing in the file is trusted: the page size is the one under which most pages are table leaves.
 */
export class PageFile implements Disposable {
  readonly pageSizeBytes: number;
  /** Page size less what the header reserves at the end of each page (section 1.3.4). */
  readonly usableBytes: number;
  readonly #db: OpenFile | undefined;
  readonly #wal: OpenFile | undefined;
  readonly #committed: FramePlaces = new Map();
  readonly #written: FramePlaces = new Map();
  /** Left over from before the WAL was begun anew: all of it was moved into the database file then. */
  readonly #older: FramePlaces = new Map();
  readonly #dbPages: number;

  /** @throws the system's error when a file is there and can't be opened */
  constructor(dbPath: string, walPath: string, pageSizeBytes: number | undefined) {
    using opened = new DisposableStack();
    this.#db = openForReading(dbPath);
    if (this.#db) opened.use(this.#db);
    this.#wal = openForReading(walPath);
    if (this.#wal) opened.use(this.#wal);
    const shape = this.#wal && this.#wal.sizeBytes > WAL_HEADER_BYTES ? readWalShape(this.#wal) : undefined;
    const found = this.#db ? findPageSize(this.#db, [shape?.pageSizeBytes, pageSizeBytes]) : undefined;
    const sizeBytes = found?.pageSizeBytes ?? shape?.pageSizeBytes ?? PAGE_SIZES[0] ?? 4_096;
    this.pageSizeBytes = sizeBytes;
    this.usableBytes = sizeBytes - (found?.reservedBytes ?? 0);
    if (this.#wal && shape?.pageSizeBytes === sizeBytes) this.#placeFrames(this.#wal, shape);
    this.#dbPages = this.#db ? Math.ceil(this.#db.sizeBytes / sizeBytes) : 0;
    opened.move();
  }

  /** A frame that is valid in itself counts as committed when a commit of its generation follows, whatever lies between. */
  #placeFrames(wal: OpenFile, shape: WalShape): void {
    for (const frame of walFrames(wal, shape)) {
      if (!frame.valid) continue;
      const places = frame.present ? this.#written : this.#older;
      places.set(frame.pageNumber, frame.pageAtBytes);
      if (!frame.present || frame.commitPages === 0) continue;
      for (const [page, at] of this.#written) this.#committed.set(page, at);
      this.#written.clear();
    }
  }

  /** Reads one page into `target`; false when there is none of that number. Never throws for what the disk can't read. */
  read(page: number, version: Version, target: Buffer): boolean {
    const at = (version === "written" ? this.#written.get(page) : undefined) ?? this.#committed.get(page);
    if (at !== undefined && this.#wal) return readBytes(this.#wal.fd, target, at) > 0;
    if (page >= 1 && page <= this.#dbPages && this.#db) {
      return readBytes(this.#db.fd, target, (page - 1) * this.pageSizeBytes) > 0;
    }
    const olderAt = this.#older.get(page);
    return olderAt !== undefined && this.#wal !== undefined && readBytes(this.#wal.fd, target, olderAt) > 0;
  }

  /** Every page in the committed version, then those that were written without a commit. */
  *everyPage(): Generator<Page> {
    const blockPages = Math.max(1, Math.floor((1 << 20) / this.pageSizeBytes));
    const block = Buffer.allocUnsafeSlow(blockPages * this.pageSizeBytes);
    for (let first = 1; first <= this.#dbPages; first += blockPages) {
      if (this.#db) readBytes(this.#db.fd, block, (first - 1) * this.pageSizeBytes);
      for (let number = first; number < first + blockPages && number <= this.#dbPages; number++) {
        const bytes = block.subarray((number - first) * this.pageSizeBytes, (number - first + 1) * this.pageSizeBytes);
        if (this.#committed.has(number)) this.read(number, "committed", bytes);
        yield { number, bytes, version: "committed" };
      }
    }
    const bytes = block.subarray(0, this.pageSizeBytes);
    for (const number of new Set([...this.#committed.keys(), ...this.#older.keys()]))
      if (number > this.#dbPages && this.read(number, "committed", bytes)) {
        yield { number, bytes, version: "committed" };
      }
    for (const number of this.#written.keys())
      if (this.read(number, "written", bytes)) yield { number, bytes, version: "written" };
  }

  /** The page as it was before the WAL was begun anew, for when the newer one holds nothing that can be read. */
  readOlder(page: number, target: Buffer): boolean {
    const at = this.#older.get(page);
    return at !== undefined && this.#wal !== undefined && readBytes(this.#wal.fd, target, at) > 0;
  }

  [Symbol.dispose](): void {
    this.#db?.[Symbol.dispose]();
    this.#wal?.[Symbol.dispose]();
  }
}

interface PageForm {
  readonly pageSizeBytes: number;
  readonly reservedBytes: number;
}

/**
 * The form under which most of the file is intact table leaves; among equals what the header says (section 1.3), then
 * the given sizes (the WAL's, which its checksums prove, then the caller's), then 4096.
 */
function findPageSize(db: OpenFile, given: readonly (number | undefined)[]): PageForm {
  const header = Buffer.alloc(100);
  readBytes(db.fd, header, 0);
  const forms: PageForm[] = [];
  const add = (pageSizeBytes: number | undefined, reservedBytes: number): void => {
    const isKnown = forms.some((f) => f.pageSizeBytes === pageSizeBytes && f.reservedBytes === reservedBytes);
    if (!isKnown && pageSizeBytes !== undefined && PAGE_SIZES.includes(pageSizeBytes)) {
      forms.push({ pageSizeBytes, reservedBytes });
    }
  };
  const claimed = header.readUInt16BE(16);
  const reserved = header[20] ?? 0;
  const claimedBytes = claimed === 1 ? 65_536 : claimed;
  if (claimedBytes - reserved >= 480) add(claimedBytes, reserved);
  for (const size of [...given, ...PAGE_SIZES]) add(size, 0);

  const scores = forms.map(() => 0);
  const blocks = Math.ceil(db.sizeBytes / BLOCK_BYTES);
  const step = Math.max(1, Math.ceil(blocks / SAMPLE_BLOCKS_MAX));
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  for (let n = 0; n < blocks; n += step) {
    readBytes(db.fd, block, n * BLOCK_BYTES);
    for (const [i, { pageSizeBytes, reservedBytes }] of forms.entries())
      for (let at = 0; at < BLOCK_BYTES; at += pageSizeBytes) {
        if (block[at] !== TABLE_LEAF) continue;
        if (isIntactLeaf(block.subarray(at, at + pageSizeBytes), 0, pageSizeBytes - reservedBytes)) {
          scores[i] = (scores[i] ?? 0) + 1;
        }
      }
  }
  return forms[scores.indexOf(Math.max(...scores))] ?? { pageSizeBytes: 4_096, reservedBytes: 0 };
}
