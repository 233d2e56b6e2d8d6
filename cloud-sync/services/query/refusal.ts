/** An answer that is not what was asked for: what happened in one sentence, and what to do. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: 400 | 404 | 503;
  readonly code: string;
  readonly hint: string | null;

  constructor(status: 400 | 404 | 503, code: string, message: string, hint: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

export function invalid(message: string, hint: string | null = null): Refusal {
  return new Refusal(400, "REQUEST_INVALID", message, hint);
}
