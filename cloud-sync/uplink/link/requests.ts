import type { Client, ModuleClient } from "azure-iot-device";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { messageOf } from "../../../edge/kernel/errors.ts";
import type { FailureLog } from "../../../edge/kernel/failure-log.ts";
import type { JsonObject, JsonValue } from "../../contract/event.ts";
import type { HubRequests } from "../ports.ts";
import { mergePatch } from "../twin/merge-patch.ts";
import type { LinkTransport, MethodMessage } from "./transport.ts";

/** For one answer of the hub. */
const ANSWER_MS_MAX = 30_000;
/** A hub that gives no twin, or takes no subscription, is asked again so often; readings flow all the while. */
const RETRY_MS = 60_000;

export interface ListenParts {
  readonly client: Client | ModuleClient;
  readonly transport: LinkTransport;
  readonly requests: HubRequests;
  readonly clock: Clock;
  readonly failures: FailureLog;
}

/**
 * Listens to what the hub asks of this box, from the opening of a session until the signal aborts. What fails is tried
 * again beside the sending, which does not wait for it.
 */
export async function listen(parts: ListenParts, signal: AbortSignal): Promise<void> {
  const { clock, failures } = parts;
  hearMessages(parts);
  const twin = new DesiredProperties(parts, signal);
  while (!signal.aborted) {
    try {
      await answer(clock, signal, (done) => parts.transport.enableMethods(done));
      await twin.read();
      if (!signal.aborted) failures.recovered();
      return;
    } catch (error) {
      if (signal.aborted) return;
      failures.failed(error);
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** A direct method, whatever its name; the dispatcher of commands answers those that it does not know, too. */
export async function answerMethod(
  { methods, requestId, body }: MethodMessage,
  transport: LinkTransport,
  requests: HubRequests,
  failures: FailureLog,
): Promise<void> {
  const text = body.toString("utf8");
  let answered: { readonly status: number; readonly payload: JsonValue };
  try {
    const payload = text === "" ? null : (JSON.parse(text) as JsonValue);
    answered = await requests.command({ name: methods.methodName, payload, via: "method" });
  } catch (error) {
    const isJson = !(error instanceof SyntaxError);
    answered = {
      status: isJson ? 500 : 400,
      payload: { code: "COMMAND_REFUSED", message: messageOf(error), hint: isJson ? "" : "the payload is JSON" },
    };
  }
  const response = { requestId, ...answered } as unknown as Parameters<LinkTransport["sendMethodResponse"]>[0];
  try {
    transport.sendMethodResponse(response, (error?: Error | null) => {
      if (error) failures.failed(error, { method: methods.methodName });
    });
  } catch (error) {
    failures.failed(error, { method: methods.methodName });
  }
}

/** Cloud-to-device messages: {"method", "payload"}. The SDK has acknowledged them when they come here. */
function hearMessages({ client, requests, failures }: ListenParts): void {
  // Modules get none: IoT Hub sends messages to devices only.
  if ("sendOutputEvent" in client) return;
  client.on("message", (message: { messageId: string; data: unknown }) => {
    const { method, payload } = commandOf(message.data);
    const messageId = message.messageId === "" ? {} : { messageId: message.messageId };
    requests.command({ name: method, payload, via: "message", ...messageId }).catch((error) => failures.failed(error));
  });
}

/** A body that is none has no method, which the dispatcher refuses and records. */
function commandOf(data: unknown): { method: string; payload: JsonValue } {
  const text = Buffer.isBuffer(data) ? data.toString("utf8") : String(data);
  try {
    const { method, payload } = JSON.parse(text) as { method?: unknown; payload?: JsonValue };
    return { method: typeof method === "string" ? method : "", payload: payload ?? null };
  } catch {
    return { method: "", payload: null };
  }
}

/**
 * The twin's desired properties, kept whole. Not by the SDK's own Twin: it subscribes after reading, so that a change
 * between the two is lost, and merges lists by position, so that a list never gets shorter.
 */
class DesiredProperties {
  readonly #parts: ListenParts;
  readonly #signal: AbortSignal;
  #whole: JsonObject | undefined;
  #newestVersion = 0;
  #isReading = false;

  constructor(parts: ListenParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    parts.transport.on("twinDesiredPropertiesUpdate", (patch: JsonObject) => this.#patch(patch));
  }

  async read(): Promise<void> {
    const { clock, transport } = this.#parts;
    await answer(clock, this.#signal, (done) => transport.enableTwinDesiredPropertiesUpdates(done));
    await this.#readWhole();
  }

  async #readWhole(): Promise<void> {
    const { clock, transport, requests } = this.#parts;
    let desired: JsonObject | undefined;
    await answer(clock, this.#signal, (done) =>
      transport.getTwin((error?: Error, twin?: unknown) => {
        desired = (twin as { desired?: JsonObject } | undefined)?.desired;
        done(error);
      }),
    );
    if (this.#signal.aborted || desired === undefined) return;
    this.#whole = desired;
    requests.desired(desired);
  }

  /** One that came before the whole is part of it; behind one that never came, the whole is read anew. */
  #patch(patch: JsonObject): void {
    if (this.#whole === undefined || this.#signal.aborted) return;
    const [version, known] = [versionOf(patch), versionOf(this.#whole)];
    if (version !== undefined && known !== undefined) {
      if (version <= known) return;
      this.#newestVersion = version;
      if (version > known + 1) {
        void this.#readAgain();
        return;
      }
    }
    this.#whole = mergePatch(this.#whole, patch);
    this.#parts.requests.desired(this.#whole);
  }

  async #readAgain(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      for (let wanted = 0; wanted < this.#newestVersion && !this.#signal.aborted; ) {
        wanted = this.#newestVersion;
        await this.#readWhole();
      }
    } catch (error) {
      // The next change tries again, and so does the next session.
      this.#parts.failures.failed(error);
    } finally {
      this.#isReading = false;
    }
  }
}

function versionOf({ $version }: JsonObject): number | undefined {
  return typeof $version === "number" ? $version : undefined;
}

/** The hub's answer to a request of the SDK's transport; ends quietly when the signal aborts, for the SDK may never call back. */
async function answer(
  clock: Clock,
  signal: AbortSignal,
  ask: (done: (error?: Error | null) => void) => void,
): Promise<void> {
  if (signal.aborted) return;
  const over = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  ask((error) => (error ? reject(error) : resolve()));
  const timeout = clock.sleep(ANSWER_MS_MAX, AbortSignal.any([signal, over.signal])).then(() => {
    if (!signal.aborted && !over.signal.aborted) throw new Error(`no answer within ${ANSWER_MS_MAX / 1000} s`);
  });
  try {
    await Promise.race([promise, timeout]);
  } finally {
    over.abort();
  }
}
