/** An answer that says no: a code, what happened, what to do. Thrown by handlers, told by `addFailures`. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly statusCode: number;
  readonly code: string;
  readonly hint: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** More of the answer's body: the current state when a write came too late, for example. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    statusCode: number,
    code: string,
    message: string,
    options: {
      hint?: string;
      headers?: Readonly<Record<string, string>>;
      details?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.hint = options.hint ?? null;
    this.headers = options.headers ?? {};
    this.details = options.details ?? {};
  }
}

export interface FailureBody {
  readonly error: string;
  readonly message: string;
  readonly hint: string | null;
}

export function failureBody({ code, message, hint }: Pick<Failure, "code" | "message" | "hint">): FailureBody {
  return { error: code, message, hint };
}
