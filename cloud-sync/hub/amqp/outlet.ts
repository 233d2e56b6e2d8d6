import type { Duplex } from "node:stream";

/** What may wait in memory for a client that reads slower than it asks. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** The writing side of a connection's socket: tells when it is full and writes what belongs together in one go. */
export class Outlet {
  readonly #socket: Duplex;
  readonly #drained: () => void;
  #waits = false;

  /** @param drained called when a socket that was full is empty again */
  constructor(socket: Duplex, drained: () => void) {
    this.#socket = socket;
    this.#drained = drained;
  }

  /** Whether more may be written now; if not, `drained` is called later. */
  free(): boolean {
    if (this.#socket.writableLength < WAITING_BYTES_MAX) return true;
    if (!this.#waits) {
      this.#waits = true;
      this.#socket.once("drain", () => {
        this.#waits = false;
        this.#drained();
      });
    }
    return false;
  }

  /** rhea writes each frame by itself, on the next tick; the cork makes one system call of them. */
  together(sends: () => void): void {
    this.#socket.cork();
    try {
      sends();
    } finally {
      process.nextTick(() => this.#socket.uncork());
    }
  }
}
