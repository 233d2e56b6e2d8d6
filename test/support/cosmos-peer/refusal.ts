/** An answer that is no success; thrown inside the peer. */
export class Refusal extends Error {
  readonly status: number;
  readonly subStatus: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, subStatus?: number, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.subStatus = subStatus;
    this.headers = headers;
  }
}
