import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Account, type Answer } from "./account.ts";
import { authorize } from "./auth.ts";
import type { Collection } from "./collection.ts";
import { type Fault, Faults } from "./faults.ts";
import { Refusal } from "./refusal.ts";
import { type PeerRequest, readRequest } from "./request.ts";

const API_VERSION = "2020-07-15";

export interface CosmosPeerOptions {
  readonly rangeCount?: number;
  /** The clock of time to live and _ts; the machine's when left out. */
  readonly nowMs?: () => number;
}

/**
 * Speaks as much of Cosmos DB's REST protocol as the SDK asks of it on our behalf, and is strict about it: signatures, partition keys,
 * sizes, preconditions, transactions. In memory, for tests; what it charges are the documented rates.
 */
export class CosmosPeer implements AsyncDisposable {
  readonly key = randomBytes(64).toString("base64");
  readonly faults = new Faults();
  readonly account: Account;
  /** What was asked, as "POST dbs/d/colls/c/docs", in order. */
  readonly asked: string[] = [];
  readonly #server: Server;

  constructor({ rangeCount = 3, nowMs = Date.now }: CosmosPeerOptions = {}) {
    this.account = new Account({ rangeCount, nowMs });
    this.#server = createServer((message, response) => {
      readRequest(message)
        .then((request) => this.#serve(request, response))
        .catch((error: unknown) => refuse(response, error));
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  collection(database: string, container: string): Collection {
    return this.account.collection(database, container);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(request: PeerRequest, response: ServerResponse): void {
    this.asked.push(`${request.method} ${request.segments.join("/")}`);
    authorize(request, this.key);
    if (typeof request.headers["x-ms-version"] !== "string")
      throw new Refusal(400, `x-ms-version is missing: ${API_VERSION}`);
    const fault = this.faults.next(request);
    if (fault !== undefined && befalls(fault, response)) return;
    const answer = this.account.answer(request);
    if (fault?.kind === "reset-after") response.destroy();
    else send(response, answer);
  }
}

export async function startCosmosPeer(options: CosmosPeerOptions = {}): Promise<CosmosPeer> {
  const peer = new CosmosPeer(options);
  await peer.listen();
  return peer;
}

/** Whether that was all of it. */
function befalls({ kind, retryAfterMs = 10 }: Fault, response: ServerResponse): boolean {
  const wait = { "x-ms-retry-after-ms": String(retryAfterMs), "x-ms-request-charge": "0" };
  if (kind === "throttled") refuse(response, new Refusal(429, "Request rate is large.", 3200, wait));
  else if (kind === "retry-with")
    refuse(response, new Refusal(449, "Conflicting request to resource has been attempted."));
  else if (kind === "unavailable") refuse(response, new Refusal(503, "Service is currently unavailable."));
  else if (kind === "unavailable-bare") response.writeHead(503).end();
  else if (kind === "reset") response.destroy();
  return kind !== "reset-after";
}

function send(response: ServerResponse, { status, json, charge = 0, headers = {} }: Answer): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "x-ms-request-charge": charge.toFixed(2),
    "x-ms-version": API_VERSION,
    ...headers,
  });
  response.end(json === undefined ? undefined : JSON.stringify(json));
}

function refuse(response: ServerResponse, error: unknown): void {
  const refusal = error instanceof Refusal ? error : new Refusal(500, String(error));
  send(response, {
    status: refusal.status,
    json: { code: String(refusal.status), message: refusal.message },
    headers: {
      ...(refusal.subStatus === undefined ? {} : { "x-ms-substatus": String(refusal.subStatus) }),
      ...refusal.headers,
    },
  });
}
