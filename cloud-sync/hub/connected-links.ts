import type { Clock } from "../../edge/kernel/clock.ts";
import { HubError } from "./hub-error.ts";
import { keyOf } from "./identity.ts";
import type { Identity, Link, Links, MethodRequest, MethodResponse } from "./ports.ts";

/** Method calls that wait for their devices to connect, over all devices. */
const WAITING_MAX = 1_000;

export interface LinkListener {
  changed(identity: Identity): void;
  touched(identity: Identity): void;
}

/** Who is connected now, one link for each identity. */
export class ConnectedLinks implements Links {
  readonly #clock: Clock;
  readonly #listener: LinkListener;
  readonly #links = new Map<string, Link>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #waitingCount = 0;
  #devices = 0;

  constructor(clock: Clock, listener: LinkListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  attach(link: Link): () => void {
    const key = keyOf(link);
    const older = this.#links.get(key);
    this.#links.set(key, link);
    if (older === undefined && link.moduleId === undefined) this.#devices++;
    older?.close("a newer connection of the same identity");
    this.#listener.changed(link);
    if (link.invoke !== undefined) this.listens(link);
    return () => {
      if (this.#links.get(key) !== link) return;
      this.#links.delete(key);
      if (link.moduleId === undefined) this.#devices--;
      this.#listener.changed(link);
    };
  }

  get(identity: Identity): Link | undefined {
    return this.#links.get(keyOf(identity));
  }

  get connectedDevices(): number {
    return this.#devices;
  }

  touched(identity: Identity): void {
    this.#listener.touched(identity);
  }

  listens(link: Link): void {
    for (const wake of this.#waiting.get(keyOf(link)) ?? []) wake();
  }

  async invoke(identity: Identity, request: MethodRequest): Promise<MethodResponse> {
    const untilMs = this.#clock.monotonicMs() + request.connectTimeoutMs;
    for (;;) {
      const invoke = this.get(identity)?.invoke;
      if (invoke !== undefined) return await invoke(request);
      const leftMs = untilMs - this.#clock.monotonicMs();
      if (leftMs <= 0)
        throw new HubError("DeviceNotOnline", `${keyOf(identity)} is not connected, or takes no methods`);
      await this.#untilListens(identity, leftMs);
    }
  }

  /** Cuts everyone off, for the hub closes. */
  closeAll(reason: string): void {
    for (const link of [...this.#links.values()]) link.close(reason);
  }

  /** A module, or a device with all of its modules. */
  cut(identity: Identity, reason: string): void {
    const { deviceId, moduleId } = identity;
    for (const link of [...this.#links.values()]) {
      if (link.deviceId === deviceId && (moduleId ?? link.moduleId) === link.moduleId) link.close(reason);
    }
  }

  async #untilListens(identity: Identity, leftMs: number): Promise<void> {
    if (this.#waitingCount >= WAITING_MAX) {
      throw new HubError("ThrottlingException", `${WAITING_MAX} method calls wait for their devices already`);
    }
    const key = keyOf(identity);
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting);
    const abort = new AbortController();
    const wake = (): void => abort.abort();
    waiting.add(wake);
    this.#waitingCount++;
    await this.#clock.sleep(leftMs, abort.signal);
    this.#waitingCount--;
    waiting.delete(wake);
    if (waiting.size === 0) this.#waiting.delete(key);
  }
}
