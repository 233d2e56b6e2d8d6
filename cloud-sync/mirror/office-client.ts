import { readFile } from "node:fs/promises";
import { Check } from "typebox/value";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { ChangesPage, ChangesRanges, type FollowedContainer } from "../services/query/changes/schema.ts";

export interface OfficeOptions {
  /** Of the query service: http(s)://…; what is below /api/query is asked. */
  readonly queryUrl: string;
  /** A bearer token, or the file that holds it; a file is read for each request, so that it may be replaced. */
  readonly token: { readonly value: string } | { readonly file: string };
}

export interface ChangesQuestion {
  readonly container: FollowedContainer;
  readonly range: string;
  readonly continuation: string | undefined;
  readonly limit: number;
  readonly factory: string;
}

const REQUEST_MS_MAX = 30_000;
/** A page of the largest documents that a store gives at once, as base64, and some more. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20;
const GONE = 410;

/** Asks the central office's query service. */
export class OfficeClient {
  readonly #options: OfficeOptions;

  constructor(options: OfficeOptions) {
    this.#options = options;
  }

  /** @throws EdgeError SERVICE_UNREACHABLE, SERVICE_REFUSED */
  async ranges(container: FollowedContainer, signal: AbortSignal): Promise<readonly string[]> {
    const answer = await this.#get(`/api/query/changes/${container}/ranges`, {}, signal);
    return checked("list of ranges", answer, (page): page is ChangesRanges => Check(ChangesRanges, page)).ranges;
  }

  /** @returns undefined when the office does not know range or continuation any more @throws EdgeError as ranges */
  async changes(
    { container, continuation, ...asked }: ChangesQuestion,
    signal: AbortSignal,
  ): Promise<ChangesPage | undefined> {
    const query = { ...asked, limit: String(asked.limit), ...(continuation === undefined ? {} : { continuation }) };
    const answer = await this.#get(`/api/query/changes/${container}`, query, signal);
    if (answer === undefined) return undefined;
    return checked("page of changes", answer, (page): page is ChangesPage => Check(ChangesPage, page));
  }

  /** undefined: 410. */
  async #get(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> {
    const url = new URL(path, this.#options.queryUrl);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const headers = { authorization: `Bearer ${await this.#token()}`, accept: "application/json" };
    const ended = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS_MAX)]);
    try {
      // A redirect would take the token elsewhere.
      const response = await fetch(url, { headers, signal: ended, redirect: "error" });
      if (response.ok) return JSON.parse(await textOf(response));
      await response.body?.cancel();
      if (response.status === GONE) return undefined;
      throw refusal(url, response.status);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EdgeError) throw error;
      const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : "";
      throw new EdgeError("SERVICE_UNREACHABLE", `${url.origin} does not answer: ${messageOf(error)}${cause}`, {
        cause: error,
        hint: "Check the line, the address of the query service, and whether it runs.",
      });
    }
  }

  async #token(): Promise<string> {
    const { token } = this.#options;
    if ("value" in token) return token.value;
    try {
      return (await readFile(token.file, "utf8")).trim();
    } catch (error) {
      throw new EdgeError("SERVICE_REFUSED", `the token can't be read: ${messageOf(error)}`, {
        cause: error,
        hint: "Check the path and rights of the token's file.",
      });
    }
  }
}

function refusal(url: URL, status: number): EdgeError {
  const refused = status < 500 && status !== 408 && status !== 429;
  return new EdgeError(
    refused ? "SERVICE_REFUSED" : "SERVICE_UNREACHABLE",
    `${url.origin}${url.pathname} answers with ${status}`,
    {
      hint:
        status === 401 || status === 403 ? "Check the token, and that it is for this factory." : "Check the address.",
    },
  );
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function checked<T>(what: string, answer: unknown, is: (answer: unknown) => answer is T): T {
  if (is(answer)) return answer;
  throw new EdgeError("SERVICE_REFUSED", `an answer that is no ${what}`, {
    hint: "Does the address lead to a query service of this version?",
  });
}
