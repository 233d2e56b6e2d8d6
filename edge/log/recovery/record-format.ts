/**
 * Table leaf cells and records as https://www.sqlite.org/fileformat2.html describes them: section 1.6 (pages and cells),
 * 1.7 (overflow), 2.1 (records). Everything here reads bytes that may be damaged and says so by undefined.
 */
export const TABLE_LEAF = 0x0d;
const LEAF_HEADER_BYTES = 8;

/** null, integers (bigint beyond 2^53), reals, text, blobs. A column that is the rowid itself is stored as null. */
export type StoredValue = null | number | bigint | string | Buffer;

export interface Cell {
  readonly rowid: number | bigint;
  readonly payloadBytes: number;
  /** The payload's part in the page. */
  readonly localAtBytes: number;
  readonly localBytes: number;
  /** 0: all of the payload is local. */
  readonly firstOverflowPage: number;
  /** Bytes of the whole cell in the page. */
  readonly cellBytes: number;
}

/** What a page's header says about a table leaf, checked against the page's size. */
export interface LeafHeader {
  readonly cells: number;
  /** Where the array of cell pointers begins and ends, in the page. */
  readonly pointersAtBytes: number;
  readonly pointersEndBytes: number;
}

/** A big-endian varint of 1 to 9 bytes (section 1.6); undefined past `end`. */
export function varint(bytes: Buffer, at: number, end: number): { value: number | bigint; next: number } | undefined {
  let value = 0;
  for (let n = 0; n < 7; n++) {
    const byte = bytes[at + n];
    if (byte === undefined || at + n >= end) return undefined;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, next: at + n + 1 };
  }
  let large = BigInt(value);
  for (let n = 7; n < 9; n++) {
    const byte = bytes[at + n];
    if (byte === undefined || at + n >= end) return undefined;
    if (n === 8) large = (large << 8n) | BigInt(byte);
    else large = (large << 7n) | BigInt(byte & 0x7f);
    if (n === 8 || byte < 0x80) return { value: narrow(BigInt.asIntN(64, large)), next: at + n + 1 };
  }
  return undefined;
}

function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** The header of a page that may be a table leaf; undefined if it can't be one. `base` is 100 in page 1, else 0. */
export function leafHeader(page: Buffer, base: number, usableBytes: number): LeafHeader | undefined {
  const cells = page.readUInt16BE(base + 3);
  const pointersAtBytes = base + LEAF_HEADER_BYTES;
  const pointersEndBytes = pointersAtBytes + 2 * cells;
  return pointersEndBytes <= usableBytes ? { cells, pointersAtBytes, pointersEndBytes } : undefined;
}

/** The cell at `at`, if all of its numbers are possible. */
export function readCell(page: Buffer, at: number, usableBytes: number, payloadBytesMax: number): Cell | undefined {
  const payload = varint(page, at, usableBytes);
  if (!payload || typeof payload.value === "bigint" || payload.value < 2 || payload.value > payloadBytesMax) {
    return undefined;
  }
  const rowid = varint(page, payload.next, usableBytes);
  if (!rowid) return undefined;
  const payloadBytes = payload.value;
  const localBytes = localPayloadBytes(payloadBytes, usableBytes);
  const overflows = localBytes < payloadBytes;
  const end = rowid.next + localBytes + (overflows ? 4 : 0);
  if (end > usableBytes) return undefined;
  const firstOverflowPage = overflows ? page.readUInt32BE(end - 4) : 0;
  if (overflows && firstOverflowPage < 2) return undefined;
  const cellBytes = Math.max(4, end - at); // a freed cell must have room for a free block's header
  return {
    rowid: rowid.value,
    payloadBytes,
    localAtBytes: rowid.next,
    localBytes,
    firstOverflowPage,
    cellBytes,
  };
}

/** Section 1.7: how much of a table leaf cell's payload of P bytes stays in the page. */
function localPayloadBytes(payloadBytes: number, usableBytes: number): number {
  const most = usableBytes - 35;
  if (payloadBytes <= most) return payloadBytes;
  const least = Math.floor(((usableBytes - 12) * 32) / 255) - 23;
  const local = least + ((payloadBytes - least) % (usableBytes - 4));
  return local <= most ? local : least;
}

/**
 * The serial types of a record of `payloadBytes`; undefined unless header and values together are exactly as long as the
 * payload. The header must lie in the page: in pages of 4096 bytes always so with up to some 240 columns.
 */
export function serialTypes(bytes: Buffer, at: number, localBytes: number, payloadBytes: number): number[] | undefined {
  const end = at + localBytes;
  const size = varint(bytes, at, end);
  if (!size || typeof size.value === "bigint" || size.value < size.next - at + 1 || at + size.value > end) {
    return undefined;
  }
  const headerEnd = at + size.value;
  const types: number[] = [];
  let totalBytes = size.value;
  for (let next = size.next; next < headerEnd; ) {
    const type = varint(bytes, next, headerEnd);
    // 10 and 11 are SQLite's own and never in a file.
    if (!type || typeof type.value === "bigint" || type.value < 0 || type.value === 10 || type.value === 11) {
      return undefined;
    }
    types.push(type.value);
    totalBytes += valueBytes(type.value);
    next = type.next;
  }
  return totalBytes === payloadBytes ? types : undefined;
}

const FIXED_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0];

function valueBytes(type: number): number {
  return FIXED_BYTES[type] ?? Math.floor((type - 12) / 2);
}

/**
 * The values of a record whose payload is there up to `payload.length`: a text or blob that is cut is given as far as it
 * goes, what lies behind is null. Text is read as UTF-8.
 */
export function recordValues(payload: Buffer, types: readonly number[]): StoredValue[] {
  const size = varint(payload, 0, payload.length);
  let at = typeof size?.value === "number" ? size.value : payload.length;
  return types.map((type) => {
    const from = at;
    at += valueBytes(type);
    return oneValue(payload, type, from, at);
  });
}

function oneValue(payload: Buffer, type: number, from: number, to: number): StoredValue {
  if (type === 8) return 0;
  if (type === 9) return 1;
  if (type >= 12) {
    if (from > payload.length || (from === payload.length && to > from)) return null;
    const bytes = payload.subarray(from, to);
    return type % 2 === 0 ? bytes : bytes.toString("utf8");
  }
  if (type === 0 || to > payload.length) return null;
  if (type === 7) return payload.readDoubleBE(from);
  return type === 6 ? narrow(payload.readBigInt64BE(from)) : payload.readIntBE(from, to - from);
}

/**
 * Whether the page is a table leaf in every respect: cells, free blocks and fragments cover the area behind the content
 * start exactly once (section 1.6). Tells pages of the right size from anything else.
 */
export function isIntactLeaf(page: Buffer, base: number, usableBytes: number): boolean {
  const header = leafHeader(page, base, usableBytes);
  if (!header || header.cells === 0) return false;
  const contentAt = page.readUInt16BE(base + 5) || 65_536;
  if (contentAt < header.pointersEndBytes || contentAt > usableBytes) return false;
  let coveredBytes = page[base + 7] ?? 0;
  for (let n = 0; n < header.cells; n++) {
    const at = page.readUInt16BE(header.pointersAtBytes + 2 * n);
    if (at < contentAt || at > usableBytes - 4) return false;
    const cell = readCell(page, at, usableBytes, 2 ** 31);
    if (!cell) return false;
    coveredBytes += cell.cellBytes;
  }
  for (let at = page.readUInt16BE(base + 1); at !== 0; ) {
    if (at < contentAt || at > usableBytes - 4) return false;
    coveredBytes += page.readUInt16BE(at + 2);
    const next = page.readUInt16BE(at);
    if (next !== 0 && next <= at) return false;
    at = next;
  }
  return coveredBytes === usableBytes - contentAt;
}
