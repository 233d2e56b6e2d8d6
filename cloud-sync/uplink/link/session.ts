import type { Client, ModuleClient } from "azure-iot-device";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import type { JsonObject } from "../../contract/event.ts";
import type { HubSession, Outgoing } from "../ports.ts";
import type { HubAddress } from "./hub-address.ts";
import type { LossHistory } from "./lost.ts";
import { checkSize, sdkMessage } from "./outgoing.ts";
import type { Sdk } from "./sdk.ts";
import type { LinkTransport } from "./transport.ts";
import type { Wire } from "./wire.ts";

/** An orderly goodbye may take so long; then the sockets are cut. */
const CLOSE_MS_MAX = 2_000;
/** For the hub's answer to a report. */
const REPORT_MS_MAX = 30_000;

export interface SessionParts {
  readonly sdk: Sdk;
  readonly client: Client | ModuleClient;
  readonly transport: LinkTransport;
  readonly wire: Wire;
  readonly address: HubAddress;
  /** Whether messages leave by the module's outputs, which edgeHub's routes name. */
  readonly hasOutputs: boolean;
  readonly history: LossHistory;
  readonly clock: Clock;
}

/** One connection of the SDK, opened already. */
export class LinkSession implements HubSession {
  readonly lost: Promise<EdgeError>;
  readonly #parts: SessionParts;
  readonly #openedMs: number;
  readonly #waiting = new Set<(error: EdgeError) => void>();
  readonly #resolveLost: (error: EdgeError) => void;
  #lostError: EdgeError | undefined;
  #acknowledged = 0;
  #closed: Promise<void> | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#openedMs = parts.clock.monotonicMs();
    const { promise, resolve } = Promise.withResolvers<EdgeError>();
    this.lost = promise;
    this.#resolveLost = resolve;
    parts.client.on("disconnect", (event: { transportObj?: unknown }) => this.#end(event?.transportObj));
    parts.client.on("error", (error: Error) => this.#end(error));
  }

  get isLost(): boolean {
    return this.#lostError !== undefined;
  }

  async send(outgoing: Outgoing): Promise<void> {
    checkSize(outgoing);
    if (this.#lostError !== undefined) throw this.#lostError;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onLost = (error: EdgeError): void => reject(error);
    this.#waiting.add(onLost);
    const done = (error?: Error | null): void => {
      // After a loss it was rejected already; the SDK may say so again, late, or never.
      if (!this.#waiting.has(onLost)) return;
      const refused = error ? refusedError(error, outgoing) : undefined;
      if (error && refused === undefined) {
        this.#end(error);
        return;
      }
      this.#waiting.delete(onLost);
      if (refused !== undefined) reject(refused);
      else {
        this.#acknowledged++;
        resolve();
      }
    };
    const { sdk, client, hasOutputs } = this.#parts;
    const message = sdkMessage(sdk, outgoing);
    if (hasOutputs && "sendOutputEvent" in client) client.sendOutputEvent(outgoing.lane, message, done);
    else client.sendEvent(message, done);
    return promise;
  }

  async report(patch: JsonObject): Promise<void> {
    if (this.#lostError !== undefined) throw this.#lostError;
    const { transport, clock } = this.#parts;
    const answered = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // By the transport, for the SDK's own twin can report only after it was read.
    transport.updateTwinReportedProperties(patch as Record<string, unknown>, (error?: Error | null) => {
      if (error === undefined || error === null) resolve();
      else if (error.name === "NotConnectedError") reject(this.#lostError ?? this.#end(error));
      else {
        const message = `The hub did not take the reported properties: ${messageOf(error)}`;
        reject(
          new EdgeError("UPLINK_REFUSED", message, { cause: error, hint: "They are reported again when they change." }),
        );
      }
    });
    void clock.sleep(REPORT_MS_MAX, answered.signal).then(() => {
      const message = `The hub did not answer a report of properties within ${REPORT_MS_MAX / 1000} s`;
      reject(new EdgeError("UPLINK_UNREACHABLE", message, { hint: "They are reported again later." }));
    });
    try {
      await Promise.race([promise, this.lost.then((error) => Promise.reject(error))]);
    } finally {
      answered.abort();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    const wasLost = this.isLost;
    this.#lose(
      new EdgeError("UPLINK_LOST", "The connection to the hub was closed by this box", { hint: "Nothing to check." }),
    );
    this.#closed ??= closeClient(this.#parts, wasLost);
    return this.#closed;
  }

  /** The session is over by itself. */
  #end(cause: unknown): EdgeError {
    if (this.#lostError !== undefined) return this.#lostError;
    const { history, address, wire, clock } = this.#parts;
    return this.#lose(
      history.explain({
        address,
        wire,
        cause,
        lifeMs: clock.monotonicMs() - this.#openedMs,
        acknowledged: this.#acknowledged,
        waiting: this.#waiting.size,
      }),
    );
  }

  #lose(error: EdgeError): EdgeError {
    if (this.#lostError !== undefined) return this.#lostError;
    this.#lostError = error;
    this.#parts.wire.seal();
    this.#resolveLost(error);
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
    return error;
  }
}

/** Ends an SDK client within a deadline, whatever state it is in, so that no socket or timer of it is left. */
export async function closeClient(
  { client, transport, wire, clock }: Pick<SessionParts, "client" | "transport" | "wire" | "clock">,
  atOnce: boolean,
): Promise<void> {
  if (atOnce) wire.destroy();
  else wire.seal();
  const closed = new AbortController();
  const closing = client.close().then(
    () => closed.abort(),
    () => closed.abort(),
  );
  await Promise.race([closing, clock.sleep(CLOSE_MS_MAX, closed.signal)]);
  wire.destroy();
  transport.stopRenewal();
}

/** What is wrong with the message itself, or with sending so much; undefined when it is about the link. */
function refusedError(error: Error, { id }: Outgoing): EdgeError | undefined {
  const message = messageOf(error);
  switch (error.name) {
    case "MessageTooLargeError":
    case "FormatError":
    case "ArgumentError":
      return new EdgeError("UPLINK_REFUSED", `Message ${id} was not taken: ${message}`, {
        cause: error,
        hint: "It is kept among the dead letters: `tailstock uplink dead-letters list`.",
      });
    case "ThrottlingError":
    case "DeviceMaximumQueueDepthExceededError":
      return new EdgeError("UPLINK_THROTTLED", `The hub takes no more messages just now: ${message}`, {
        cause: error,
        hint: "The uplink slows down by itself. Look at other senders on the hub, and at its number of units.",
      });
    case "IotHubQuotaExceededError":
      return new EdgeError("UPLINK_QUOTA", `The hub's messages of today are used up: ${message}`, {
        cause: error,
        hint: "It takes more after midnight UTC. See `tailstock uplink bill`, and the hub's number of units.",
      });
    default:
      return undefined;
  }
}
