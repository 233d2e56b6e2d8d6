import { BlockError, type BlockErrorCode } from "../block/block-error.ts";

export type FrameErrorCode = BlockErrorCode;

const HINT_BY_CODE: Readonly<Record<FrameErrorCode, string>> = {
  truncated: "Have the range sent again (command resend).",
  checksum: "Have the range sent again (command resend).",
  version: "Update this side of Tailstock; keep the message, nothing is lost.",
  malformed: "Keep a copy of the message: it was made by a faulty encoder, or it was forged.",
  limit: "Put less into one message.",
};

/** The only error that encoding or decoding a message throws, whatever the bytes are. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: FrameErrorCode;
  readonly hint: string;

  constructor(code: FrameErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
    this.hint = HINT_BY_CODE[code];
  }
}

/** Runs a part of the codec; whatever escapes it that is not yet a FrameError becomes one. */
export function guardedFrame<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof FrameError) throw cause;
    if (cause instanceof BlockError) throw new FrameError(cause.code, `${what}: ${cause.message}`, { cause });
    throw new FrameError("malformed", `${what} cannot be decoded`, { cause });
  }
}
