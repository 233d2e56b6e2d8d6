import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { decodeMessage } from "../../cloud-sync/contract/frame/message.ts";
import type { RollupPart } from "../../cloud-sync/contract/frame/rollup-part.ts";
import type { HubConnector, HubSession, Outgoing } from "../../cloud-sync/uplink/ports.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";

/**
 * ack: taken and acknowledged. ack-lost: taken, the line is lost before the acknowledgement. lost: the line is lost before it
 * arrives. silent: it vanishes, and no acknowledgement ever comes. refused: this message cannot go.
 */
export type Treatment = "ack" | "ack-lost" | "lost" | "silent" | "refused" | "throttled";

export interface Arrived {
  readonly message: Outgoing;
  readonly atMs: number;
  readonly events: readonly StoredEvent[];
}

/** Where an uplink's messages end in a test: stands in for the hub and the link to it, nothing else. */
export class FakeHub implements HubConnector {
  readonly description = "fake hub";
  readonly arrived: Arrived[] = [];
  readonly rollups: RollupPart[] = [];
  readonly #clock: Clock;
  isUp = true;
  isFrozen = false;
  /** Of whole seconds that an acknowledgement takes. */
  delayMs = 0;
  connects = 0;
  probes = 0;
  treat: (message: Outgoing, events: readonly StoredEvent[]) => Treatment = () => "ack";
  refusesToConnect: EdgeError | undefined;
  #loseSession: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get messages(): Outgoing[] {
    return this.arrived.map(({ message }) => message);
  }

  /** By identity, as first arrived; how often each came again. */
  received(): { readonly events: Map<string, StoredEvent>; readonly duplicates: number } {
    const events = new Map<string, StoredEvent>();
    let duplicates = 0;
    for (const { events: mine } of this.arrived) {
      for (const event of mine) {
        const key = `${event.epoch}/${event.machineId}/${event.seq}`;
        if (events.has(key)) duplicates++;
        else events.set(key, event);
      }
    }
    return { events, duplicates };
  }

  cut(): void {
    this.isUp = false;
    this.#loseSession?.();
  }

  dropSession(): void {
    this.#loseSession?.();
  }

  async probe(signal: AbortSignal): Promise<boolean> {
    this.probes++;
    // One that is frozen leaves without an answer who wants to speak with it.
    if (this.isFrozen) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    return this.isUp;
  }

  async connect(): Promise<HubSession> {
    this.connects++;
    if (!this.isUp) throw new EdgeError("UPLINK_UNREACHABLE", "connect ECONNREFUSED");
    if (this.refusesToConnect) throw this.refusesToConnect;
    const lost = Promise.withResolvers<EdgeError>();
    let isLost = false;
    const waiting = new Set<(error: EdgeError) => void>();
    const lose = (): void => {
      isLost = true;
      const error = new EdgeError("UPLINK_LOST", "connection reset");
      lost.resolve(error);
      for (const reject of waiting) reject(error);
      waiting.clear();
    };
    this.#loseSession = lose;
    return {
      lost: lost.promise,
      report: async () => undefined,
      send: async (message) => {
        if (isLost) throw new EdgeError("UPLINK_LOST", "the session is over");
        const { promise: never, reject } = Promise.withResolvers<never>();
        const { blocks, rollups, events: plain } = decodeMessage(message);
        const events = [...blocks.flatMap(({ block }) => block.events()), ...plain];
        const treatment = this.isFrozen ? "silent" : this.treat(message, events);
        if (treatment === "refused") throw new EdgeError("UPLINK_REFUSED", "not in this life");
        if (treatment === "throttled") throw new EdgeError("UPLINK_THROTTLED", "slow down");
        waiting.add(reject);
        never.catch(() => undefined);
        if (treatment === "lost") {
          lose();
          return never;
        }
        if (treatment === "silent") return never;
        if (this.delayMs > 0) await Promise.race([never, this.#clock.sleep(this.delayMs)]);
        this.arrived.push({ message, atMs: this.#clock.nowMs(), events });
        this.rollups.push(...rollups);
        if (treatment === "ack-lost") {
          lose();
          return never;
        }
        waiting.delete(reject);
      },
      [Symbol.asyncDispose]: async () => {
        isLost = true;
      },
    };
  }
}
