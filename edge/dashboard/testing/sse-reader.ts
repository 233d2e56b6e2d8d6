import { get, type IncomingMessage } from "node:http";

export interface SseMessage {
  readonly event: string;
  readonly id: string;
  readonly data: Record<string, unknown>;
}

/** Reads a live stream over a real socket. */
export class SseReader {
  readonly messages: SseMessage[] = [];
  comments = 0;
  ended = false;
  #response: IncomingMessage | undefined;
  #wake: () => void = () => undefined;

  static async open(url: string, headers: Record<string, string> = {}): Promise<SseReader> {
    const reader = new SseReader();
    reader.#response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { headers, agent: false }, resolve).on("error", reject);
    });
    let rest = "";
    reader.#response.setEncoding("utf8").on("data", (text: string) => {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) reader.#take(block);
      reader.#wake();
    });
    const end = () => {
      reader.ended = true;
      reader.#wake();
    };
    reader.#response.on("close", end).on("error", end);
    return reader;
  }

  #take(block: string): void {
    const fields = new Map(
      block.split("\n").map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
    );
    if (block.startsWith(":")) this.comments += 1;
    const data = fields.get("data");
    if (data === undefined) return;
    this.messages.push({ event: fields.get("event") ?? "", id: fields.get("id") ?? "", data: JSON.parse(data) });
  }

  /** Resolves when the condition holds; fails after the time. */
  async until(condition: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
    const timeout = AbortSignal.timeout(timeoutMs);
    while (!condition()) {
      if (timeout.aborted) throw new Error(`${what} did not come in ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 50);
      });
    }
  }

  /** All samples received of a signal, in order. */
  samplesOf(machineId: string, signal: string): unknown[][] {
    return this.messages
      .filter(({ event }) => event === "sample")
      .flatMap(({ data }) => data.machines as { id: string; samples: unknown[][] }[])
      .filter(({ id }) => id === machineId)
      .flatMap(({ samples }) => samples.filter(([name]) => name === signal));
  }

  pause(): void {
    this.#response?.pause();
  }

  close(): void {
    this.#response?.destroy();
  }
}
