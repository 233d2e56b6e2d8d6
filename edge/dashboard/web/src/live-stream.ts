/** The server says something every 10 s: after this long without a word the line is dead, whatever the socket thinks. */
const SILENT_MS_MAX = 22_000;
const REOPEN_MS = 1_000;
const EVENTS = ["hello", "sample", "machine", "connection", "uplink", "time", "dropped"] as const;

/** A server-sent event stream that always comes back, from the last event that it heard. */
export class LiveStream {
  readonly #hear: (event: string, data: unknown) => void;
  readonly #link: (up: boolean) => void;
  #source: EventSource | undefined;
  #url = "";
  #lastId = "";
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(hear: (event: string, data: unknown) => void, link: (up: boolean) => void) {
    this.#hear = hear;
    this.#link = link;
  }

  open(url: string): void {
    this.close();
    this.#url = url;
    this.#lastId = "";
    this.#connect();
  }

  #connect(): void {
    const url = this.#lastId === "" ? this.#url : this.#url.replace(/after=\d+/, `after=${this.#lastId}`);
    const source = new EventSource(url);
    this.#source = source;
    this.#watch(SILENT_MS_MAX);
    for (const name of EVENTS) {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        if (source !== this.#source) return;
        if (message.lastEventId !== "") this.#lastId = message.lastEventId;
        this.#watch(SILENT_MS_MAX);
        if (name === "dropped") this.#lost();
        else {
          this.#link(true);
          this.#hear(name, JSON.parse(message.data));
        }
      });
    }
    source.onerror = () => source === this.#source && this.#lost();
  }

  /** We reopen ourselves: a browser gives up for good on some answers, and waits long after others. */
  #lost(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#link(false);
    this.#watch(REOPEN_MS);
  }

  #watch(durationMs: number): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      if (this.#source) this.#lost();
      else this.#connect();
    }, durationMs);
  }

  close(): void {
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#source = undefined;
  }
}
