import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Client, ModuleClient } from "azure-iot-device";
import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { UplinkConfig } from "../../../edge/kernel/config/model.ts";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import type { HubConnector, HubRequests, HubSession } from "../ports.ts";
import { withEvidence } from "./evidence.ts";
import { describeAddress, type Environment, type HubAddress, readHubAddress } from "./hub-address.ts";
import { connectError, NoAnswer } from "./link-error.ts";
import { LossHistory } from "./lost.ts";
import { answerMethod, listen } from "./requests.ts";
import { loadSdk, type Sdk } from "./sdk.ts";
import { closeClient, LinkSession } from "./session.ts";
import { type LinkTransport, type LinkTransportClass, transportClass } from "./transport.ts";
import { Wire } from "./wire.ts";

/** For one attempt, from the name to the hub's answer to the login. */
const CONNECT_MS_MAX = 20_000;
/** A line that died without a word is noticed after twice as long at most. */
const KEEPALIVE_S = 20;
const HTTPS_PORT = 443;

export interface ConnectorDeps {
  readonly requests: HubRequests;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Variables of the IoT Edge runtime, for identity "iot-edge". The SDK reads the process's own. */
  readonly environment?: Environment;
  /** Where the hub's clock can be asked for; another one than 443 for a hub on other ports. */
  readonly httpsPort?: number;
  readonly keepaliveS?: number;
  readonly connectMsMax?: number;
  /** How long a token is valid and how long before its end it is renewed; default the SDK's hour and quarter of an hour. */
  readonly token?: { readonly lifeS: number; readonly marginS: number };
}

/** The uplink's link to an IoT Hub, an IoT Edge gateway or a local hub, by Microsoft's own device SDK over MQTT. */
export function createConnector(config: UplinkConfig, deps: ConnectorDeps): HubConnector {
  return new SdkConnector(config, deps);
}

class SdkConnector implements HubConnector {
  readonly #config: UplinkConfig;
  readonly #deps: ConnectorDeps;
  readonly #history = new LossHistory();
  readonly #failures: FailureLog;
  #description: string;

  constructor(config: UplinkConfig, deps: ConnectorDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#failures = new FailureLog(deps.logger, deps.clock, { component: "requests of the hub" });
    const address = this.#addressOrNone();
    this.#description = address === undefined ? "a hub that is not known" : describeAddress(address);
  }

  get description(): string {
    return this.#description;
  }

  async connect(signal: AbortSignal): Promise<HubSession> {
    const { clock, requests, connectMsMax = CONNECT_MS_MAX } = this.#deps;
    const address = readHubAddress(this.#config, this.#deps.environment ?? {});
    this.#description = describeAddress(address);
    const sdk = loadSdk();
    const isWebSocket = this.#config.transport === "mqtt-ws";
    const wire = new Wire(2 * connectMsMax, isWebSocket);
    let transport: LinkTransport | undefined;
    const Transport = transportClass(sdk, {
      wire,
      isWebSocket,
      made: (made) => {
        transport = made;
      },
      method: (message, by) => void answerMethod(message, by, requests, this.#failures),
    });
    const ended = new AbortController();
    const within = <T>(work: Promise<T>): Promise<T> => withinTime(work, connectMsMax, clock, signal, ended.signal);
    let client: Client | ModuleClient | undefined;
    try {
      client = await within(this.#client(sdk, address, Transport));
      await within(client.open());
    } catch (error) {
      if (client !== undefined && transport !== undefined) await closeClient({ client, transport, wire, clock }, true);
      const cause = error instanceof NoAnswer ? error : (wire.error ?? error);
      throw await this.#explained(cause, address, wire, signal);
    } finally {
      ended.abort();
    }
    if (transport === undefined) throw new Error("the SDK made a client without a transport");
    const hasOutputs = this.#config.identity.kind === "iot-edge";
    const parts = { sdk, client, transport, wire, address, hasOutputs, history: this.#history, clock };
    const session = new LinkSession(parts);
    const over = new AbortController();
    void session.lost.then(() => over.abort());
    void listen({ client, transport, requests, clock, failures: this.#failures }, over.signal);
    return session;
  }

  async probe(signal: AbortSignal): Promise<boolean> {
    const address = this.#addressOrNone();
    if (address === undefined || signal.aborted) return false;
    const { host, port } = address;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    // Nothing is proved and nothing sent: what counts is that somebody speaks, not only that a relay takes connections.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connectTls({ host, port, ...name, rejectUnauthorized: false });
    socket.once("secureConnect", () => resolve(true));
    socket.once("error", () => resolve(false));
    const onAbort = (): void => resolve(false);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
    }
  }

  /** Files that can't be used are told by an attempt to connect, with a hint. */
  #addressOrNone(): HubAddress | undefined {
    try {
      return readHubAddress(this.#config, this.#deps.environment ?? {});
    } catch (error) {
      if (error instanceof EdgeError) return undefined;
      throw error;
    }
  }

  async #client(sdk: Sdk, address: HubAddress, Transport: LinkTransportClass): Promise<Client | ModuleClient> {
    const { keepaliveS = KEEPALIVE_S, token } = this.#deps;
    const client = await makeClient(sdk, address, Transport);
    client.setRetryPolicy(new sdk.NoRetry());
    await client.setOptions({
      keepalive: keepaliveS,
      ...(address.ca === undefined ? {} : { ca: address.ca.path }),
      ...(address.x509 ?? {}),
      ...(token === undefined || address.x509 !== undefined
        ? {}
        : { tokenRenewal: { tokenValidTimeInSeconds: token.lifeS, tokenRenewalMarginInSeconds: token.marginS } }),
    });
    return client;
  }

  async #explained(error: unknown, address: HubAddress, wire: Wire, signal: AbortSignal): Promise<EdgeError> {
    if (error instanceof EdgeError) return error;
    const explained = connectError({ error, phase: wire.phase, address, transport: this.#config.transport });
    const nowMs = this.#deps.clock.nowMs();
    return withEvidence(explained, address, { nowMs, httpsPort: this.#deps.httpsPort ?? HTTPS_PORT, signal });
  }
}

async function makeClient(
  { Client: DeviceClient, ModuleClient: EdgeClient }: Sdk,
  { connectionString, moduleId }: HubAddress,
  Transport: LinkTransportClass,
): Promise<Client | ModuleClient> {
  if (connectionString === undefined) {
    try {
      return await EdgeClient.fromEnvironment(Transport);
    } catch (error) {
      throw new EdgeError("UPLINK_UNREACHABLE", `The IoT Edge runtime does not answer: ${messageOf(error)}`, {
        cause: error,
        hint: "Check `iotedge check` and the log of the runtime; the module needs the socket of the workload API.",
      });
    }
  }
  const Chosen = moduleId === undefined ? DeviceClient : EdgeClient;
  return Chosen.fromConnectionString(connectionString, Transport);
}

/** The work's result, or NoAnswer after the time or when the signal aborts; what comes later is dropped. */
async function withinTime<T>(
  work: Promise<T>,
  ms: number,
  clock: Clock,
  signal: AbortSignal,
  ended: AbortSignal,
): Promise<T> {
  const timeout = clock.sleep(ms, AbortSignal.any([signal, ended])).then(() => {
    throw new NoAnswer(signal.aborted ? "given up" : `no answer within ${ms} ms`);
  });
  timeout.catch(() => undefined);
  work.catch(() => undefined);
  return Promise.race([work, timeout]);
}
