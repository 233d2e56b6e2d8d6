import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type ClientSession, OPCUAClient, type UserIdentityInfo, UserTokenType } from "node-opcua-client";
import { setErrorLogger, setWarningLogger } from "node-opcua-debug";
import type { Request, Response } from "node-opcua-secure-channel";
import type { Logger } from "pino";
import type { Clock } from "../../kernel/clock.ts";
import type { OpcuaClientConfig, OpcuaConnection, OpcuaIdentity } from "../../kernel/config/model.ts";
import { EdgeError, messageOf } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { verifyServerCertificate } from "./certificates.ts";
import { chooseEndpoint, INSECURE } from "./endpoint.ts";
import { OwnCertificates } from "./own-certificate.ts";
import { abortSocket, perform, ServiceStatus, statusText, within } from "./services.ts";

/** A session outlives a pulled cable by this long, so that it can be taken over; then the server frees it (P14). */
const SESSION_TIMEOUT_MS = 30_000;
const CLOSE_SESSION_MS = 1_000;
const DISCONNECT_MS = 700;

export interface LinkDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

export type LinkSettings = Pick<
  OpcuaConnection,
  "endpointUrl" | "security" | "identity" | "connectTimeoutMs" | "requestTimeoutMs"
>;

/** One secure channel with one session on it, over one socket. It never reconnects: a lost link is thrown away. */
export class OpcuaLink {
  /** Aborts when the socket is gone. */
  readonly lost: AbortSignal;
  /** True when the session was taken over from an earlier link, with its subscriptions. */
  readonly resumed: boolean;
  readonly session: ClientSession;
  /** Sentence about the certificate, or null. */
  readonly warning: string | null;
  /** Monotonic time of the last answer of any kind. */
  heardMs: number;
  readonly #client: OPCUAClient;
  readonly #deps: LinkDeps;
  readonly #requestTimeoutMs: number;

  constructor(
    client: OPCUAClient,
    session: ClientSession,
    options: { lost: AbortSignal; resumed: boolean; warning: string | null; requestTimeoutMs: number; deps: LinkDeps },
  ) {
    this.#client = client;
    this.session = session;
    this.lost = options.lost;
    this.resumed = options.resumed;
    this.warning = options.warning;
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#deps = options.deps;
    this.heardMs = options.deps.clock.monotonicMs();
  }

  /** Sends a service request. @throws EdgeError DRIVER_REFUSED (the server's answer), DRIVER_NOT_CONNECTED (no answer) */
  async request<R extends Response>(request: Request, timeoutMs = this.#requestTimeoutMs): Promise<R> {
    try {
      const token = (this.session as unknown as { authenticationToken: unknown }).authenticationToken;
      const response = await perform<R>(this.#client, token, request, timeoutMs);
      this.heardMs = this.#deps.clock.monotonicMs();
      return response;
    } catch (error) {
      if (error instanceof EdgeError && error.code === "DRIVER_REFUSED") this.heardMs = this.#deps.clock.monotonicMs();
      throw error;
    }
  }

  /** Closes the session with its subscriptions and the channel, each within a deadline. Never throws. */
  async close(): Promise<void> {
    if (!this.lost.aborted) await within(this.session.close(true), CLOSE_SESSION_MS);
    await discard(this.#client);
  }

  /** Drops the socket and leaves the session on the server, for a later link to take over. Never throws. */
  async abandon(): Promise<void> {
    abortSocket(this.#client);
    await discard(this.#client);
  }
}

async function discard(client: OPCUAClient): Promise<void> {
  await within(client.disconnect(), DISCONNECT_MS);
  abortSocket(client);
}

/**
 * Opens a link: discovery and trust when secured, channel, then the earlier session when the server still holds it, else
 * a new one. Bounded by `connectTimeoutMs` and the signal; nothing stays open after a failure.
 * @throws EdgeError DRIVER_NOT_CONNECTED, DRIVER_REFUSED
 */
export async function openLink(
  settings: LinkSettings,
  config: OpcuaClientConfig,
  deps: LinkDeps,
  signal: AbortSignal,
  earlier?: ClientSession,
): Promise<OpcuaLink> {
  quietLibrary(deps.logger);
  const opened: OPCUAClient[] = [];
  const bound = AbortSignal.any([signal, AbortSignal.timeout(settings.connectTimeoutMs)]);
  let abort = (): void => undefined;
  const ended = new Promise<never>((_, reject) => {
    abort = () =>
      reject(
        new EdgeError(
          "DRIVER_NOT_CONNECTED",
          `no answer from ${settings.endpointUrl} within ${settings.connectTimeoutMs} ms`,
          { statusCode: StatusCode.BadTimeout, hint: unreachableHint(settings.endpointUrl) },
        ),
      );
    if (bound.aborted) abort();
    bound.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([open(settings, config, deps, opened, earlier), ended]);
  } catch (error) {
    bound.removeEventListener("abort", abort);
    // A failed attempt is torn down in the background: the caller's deadline has been used up already.
    for (const client of opened) {
      abortSocket(client);
      void discard(client);
    }
    throw asEdgeError(error, settings);
  } finally {
    bound.removeEventListener("abort", abort);
  }
}

async function open(
  settings: LinkSettings,
  config: OpcuaClientConfig,
  deps: LinkDeps,
  opened: OPCUAClient[],
  earlier: ClientSession | undefined,
): Promise<OpcuaLink> {
  const { endpointUrl, security } = settings;
  let endpoint = INSECURE;
  let warning: string | null = null;
  if (security.mode !== "none") {
    const discovery = newClient(config, INSECURE);
    opened.push(discovery);
    await discovery.connect(endpointUrl);
    endpoint = chooseEndpoint(await discovery.getEndpoints(), security);
    await discard(discovery);
    opened.pop();
    if (endpoint.serverCertificate === null) throw new Error("BadCertificateInvalid: the server shows no certificate");
    warning = verifyServerCertificate(
      config.pkiPath,
      endpointUrl,
      endpoint.serverCertificate,
      security.trust,
      deps.clock.nowMs(),
    ).warning;
  }
  const client = newClient(config, endpoint);
  opened.push(client);
  const lost = new AbortController();
  client.on("close", () => lost.abort());
  client.on("connection_lost", () => lost.abort());
  await client.connect(endpointUrl);
  const resumed = earlier !== undefined && (await resume(client, earlier));
  const session = resumed && earlier ? earlier : await client.createSession(identityOf(settings.identity));
  const requestTimeoutMs = settings.requestTimeoutMs;
  return new OpcuaLink(client, session, { lost: lost.signal, resumed, warning, requestTimeoutMs, deps });
}

async function resume(client: OPCUAClient, session: ClientSession): Promise<boolean> {
  try {
    await client.reactivateSession(session);
    return true;
  } catch {
    return false; // The server restarted or gave the session up: a new one is made.
  }
}

function newClient(config: OpcuaClientConfig, endpoint: typeof INSECURE): OPCUAClient {
  return OPCUAClient.create({
    applicationName: config.applicationName,
    clientName: config.applicationName,
    clientCertificateManager: new OwnCertificates(config.applicationName, {
      rootFolder: config.pkiPath,
      disableFileWatchers: true,
    }),
    securityMode: endpoint.securityMode,
    securityPolicy: endpoint.securityPolicy,
    ...(endpoint.serverCertificate ? { serverCertificate: endpoint.serverCertificate } : {}),
    // Servers behind a gateway announce addresses that this box can't reach; the configured one is used.
    endpointMustExist: false,
    keepSessionAlive: false,
    keepPendingSessionsOnDisconnect: true,
    requestedSessionTimeout: SESSION_TIMEOUT_MS,
    connectionStrategy: { maxRetry: 0, initialDelay: 50, maxDelay: 100 },
  });
}

function identityOf(identity: OpcuaIdentity): UserIdentityInfo {
  switch (identity.kind) {
    case "anonymous":
      return { type: UserTokenType.Anonymous };
    case "user":
      return { type: UserTokenType.UserName, userName: identity.username, password: identity.password };
    case "certificate":
      return {
        type: UserTokenType.Certificate,
        certificateData: new X509Certificate(readFileSync(identity.certificatePath)).raw,
        privateKey: readFileSync(identity.privateKeyPath, "utf8"),
      };
  }
}

const REFUSALS: readonly (readonly [RegExp, number, string])[] = [
  [
    /BadTooManySessions/,
    ServiceStatus.BadTooManySessions,
    "close other clients of the server or raise its session limit",
  ],
  [
    /BadIdentityToken|BadUserAccessDenied|BadUserSignature|Cannot find .* user token policy|doesn't support/i,
    StatusCode.BadIdentityTokenRejected,
    "check the user name, the password or the user certificate, and which identities the server allows",
  ],
  [
    /BadSecurityPolicyRejected/,
    StatusCode.BadSecurityPolicyRejected,
    "check which security policies the server has enabled",
  ],
  [/BadSecurityModeRejected/, StatusCode.BadSecurityModeRejected, "check which security modes the server has enabled"],
  [
    /BadCertificate|BadSecurityChecksFailed|has been rejected by server|third party/,
    StatusCode.BadSecurityChecksFailed,
    "the server does not trust this box yet: in the server, trust the certificate in own/certs of the PKI folder",
  ],
];

/** Says whose fault a failed attempt is. The library reports most of them only in the words of its messages. */
function asEdgeError(error: unknown, settings: LinkSettings): EdgeError {
  if (error instanceof EdgeError) return error;
  const message = messageOf(error);
  const where = settings.endpointUrl;
  for (const [pattern, statusCode, hint] of REFUSALS) {
    if (settings.security.mode === "none" && pattern.source.includes("third party") && /third party/.test(message))
      continue;
    if (pattern.test(message)) {
      return new EdgeError("DRIVER_REFUSED", `${where} refused: ${firstLine(message)} (${statusText(statusCode)})`, {
        cause: error,
        statusCode,
        hint,
      });
    }
  }
  return new EdgeError("DRIVER_NOT_CONNECTED", `${where} can't be reached: ${firstLine(message)}`, {
    cause: error,
    statusCode: StatusCode.BadNotConnected,
    hint: unreachableHint(where),
  });
}

function unreachableHint(endpointUrl: string): string {
  return `check that the machine is on, the cable, the firewall, and that an OPC UA server listens at ${endpointUrl}`;
}

function firstLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 300);
}

let quiet = false;
/** The library prints to the console by itself; its words belong in the log, at a level that does not alarm. */
function quietLibrary(logger: Logger): void {
  if (quiet) return;
  quiet = true;
  const write = (...words: unknown[]): void =>
    logger.debug({ library: words.map(String).join(" ").slice(0, 500) }, "node-opcua");
  setWarningLogger(write);
  setErrorLogger(write);
}
