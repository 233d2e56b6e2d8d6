const REDRAW_MS = 100;

/** One line on standard error that is drawn over itself; where nobody looks, because it is no terminal, there is none. */
export class ProgressLine implements Disposable {
  readonly #isShown: boolean;
  #drawnMs = Number.NEGATIVE_INFINITY;

  constructor({ json }: { readonly json: boolean }) {
    this.#isShown = process.stderr.isTTY === true && !json;
  }

  /** @param share of 0 to 1; undefined while it can't be told */
  show(what: string, share?: number): void {
    if (!this.#isShown) return;
    const nowMs = performance.now();
    if (share !== undefined && nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    process.stderr.write(`\r\u001b[K${what} …${share === undefined ? "" : ` ${Math.floor(share * 100)} %`}`);
  }

  [Symbol.dispose](): void {
    if (this.#isShown && this.#drawnMs >= 0) process.stderr.write("\r\u001b[K");
  }
}
