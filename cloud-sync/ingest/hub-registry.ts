import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import tls from "node:tls";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";

export interface HubRegistryOptions {
  /** Of a policy that may read the service side: HostName=…[:port];SharedAccessKeyName=…;SharedAccessKey=… */
  readonly serviceConnectionString: string;
  /** PEM file of an authority of one's own, beside those that are known. */
  readonly caPath?: string | undefined;
  readonly clock: Clock;
}

export type TwinJson = Readonly<Record<string, unknown>>;

const API_VERSION = "2021-04-12";
const TOKEN_MS = 60 * 60_000;
const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Queries of a hub's registry by its REST API, page by page.
 * Source: IoT Hub REST, "Query - Get Twins"; "Control access to IoT Hub using shared access signatures".
 */
export class HubRegistry implements Disposable {
  readonly #host: string;
  readonly #port: number;
  readonly #policy: string;
  readonly #key: string;
  readonly #clock: Clock;
  readonly #agent: Agent;

  /** @throws EdgeError EVENTS_IDENTITY when the connection string is none */
  constructor({ serviceConnectionString, caPath, clock }: HubRegistryOptions) {
    const fields = new Map(
      serviceConnectionString.split(";").map((part): [string, string] => {
        const equals = part.indexOf("=");
        return [part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim()];
      }),
    );
    const [host = "", port] = (fields.get("hostname") ?? "").split(":");
    const [policy, key] = [fields.get("sharedaccesskeyname"), fields.get("sharedaccesskey")];
    if (host === "" || policy === undefined || key === undefined)
      throw new EdgeError("EVENTS_IDENTITY", "the hub's service connection string is none", {
        hint: "Copy it from the hub's shared access policies (service): HostName=…;SharedAccessKeyName=…;SharedAccessKey=…",
      });
    this.#host = host;
    this.#port = port === undefined ? 443 : Number(port);
    this.#policy = policy;
    this.#key = key;
    this.#clock = clock;
    const ca = caPath === undefined ? {} : { ca: [...tls.getCACertificates("default"), readFileSync(caPath, "utf8")] };
    this.#agent = new Agent({ keepAlive: true, maxSockets: 2, ...ca });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /**
   * One page of the answer; `continuation` leads to the next.
   * @throws EdgeError EVENTS_UNREACHABLE, EVENTS_IDENTITY
   */
  async query(
    query: string,
    continuation: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly TwinJson[]; readonly continuation: string | undefined }> {
    const { status, headers, body } = await this.#post(
      "/devices/query",
      JSON.stringify({ query }),
      continuation,
      signal,
    );
    if (status === 401 || status === 403)
      throw new EdgeError("EVENTS_IDENTITY", `the hub's registry refuses the policy ${this.#policy} (HTTP ${status})`, {
        hint: "Check the service connection string: a policy with the right ServiceConnect, and its key.",
      });
    if (status !== 200)
      throw new EdgeError("EVENTS_UNREACHABLE", `the hub's registry answers HTTP ${status}: ${body.slice(0, 200)}`, {
        hint:
          status === 429 ? "Others query the registry, too: it has a limit a minute." : "Look at the hub's own log.",
      });
    const items = JSON.parse(body) as unknown;
    if (!Array.isArray(items)) throw new EdgeError("EVENTS_UNREACHABLE", "the hub's registry gives no list");
    const next = headers["x-ms-continuation"];
    return { items: items as TwinJson[], continuation: typeof next === "string" && next !== "" ? next : undefined };
  }

  async #post(path: string, text: string, continuation: string | undefined, signal: AbortSignal) {
    const headers = {
      authorization: this.#token(),
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(text),
      ...(continuation === undefined ? {} : { "x-ms-continuation": continuation }),
    };
    const answered = Promise.withResolvers<{
      status: number;
      headers: NodeJS.Dict<string | string[]>;
      body: string;
    }>();
    const call = request(
      {
        host: this.#host,
        port: this.#port,
        path: `${path}?api-version=${API_VERSION}`,
        method: "POST",
        headers,
        agent: this.#agent,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`));
          else chunks.push(chunk);
        });
        response.on("error", answered.reject);
        response.on("end", () =>
          answered.resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    call.on("error", answered.reject);
    call.end(text);
    try {
      return await answered.promise;
    } catch (cause) {
      throw new EdgeError("EVENTS_UNREACHABLE", `the hub's registry does not answer: ${messageOf(cause)}`, {
        cause,
        hint: "Check the host name of the service connection string, port 443, and the certificate (hub.ca).",
      });
    }
  }

  #token(): string {
    const resource = encodeURIComponent(this.#host);
    const expiry = Math.ceil((this.#clock.nowMs() + TOKEN_MS) / 1000);
    const signature = createHmac("sha256", Buffer.from(this.#key, "base64"))
      .update(`${resource}\n${expiry}`)
      .digest("base64");
    const policy = encodeURIComponent(this.#policy);
    return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${policy}`;
  }
}
