/**
 * truncated: bytes are missing. checksum: bytes were altered. version: made by a newer encoder, or no block at all.
 * malformed: checksums hold, yet the content contradicts itself. limit: larger than a block may be, on either side.
 */
export type BlockErrorCode = "truncated" | "checksum" | "version" | "malformed" | "limit";

const HINT_BY_CODE: Readonly<Record<BlockErrorCode, string>> = {
  truncated: "Fetch the block again; if it comes from a file, check the disk.",
  checksum: "Fetch the block again; if it comes from a file, check the disk.",
  version: "Update this side of Tailstock; nothing is lost, the block stays as it is.",
  malformed: "Keep a copy of the block: it was made by a faulty encoder, or it was forged.",
  limit: "Encode fewer events into one block.",
};

/** The only error that encoding or decoding a block throws, whatever the bytes are. */
export class BlockError extends Error {
  override readonly name = "BlockError";
  readonly code: BlockErrorCode;
  readonly hint: string;

  constructor(code: BlockErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
    this.hint = HINT_BY_CODE[code];
  }
}

export function malformed(message: string): BlockError {
  return new BlockError("malformed", message);
}

/** Runs a part of the decoder; whatever escapes it that is not yet a BlockError becomes one. */
export function guarded<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof BlockError) throw cause;
    throw new BlockError("malformed", `${what} cannot be decoded`, { cause });
  }
}
