import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { rootCertificates } from "node:tls";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { withoutQuery } from "./record.ts";

const REDIRECTS_MAX = 3;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

export interface Wanted {
  readonly url: string;
  readonly sha256: string;
  readonly bytesMax: number;
  readonly msMax: number;
  /** PEM of one's own authorities, beside the known ones. */
  readonly ca: string | undefined;
}

/**
 * Fetches a file by reference: https, or http on this box itself. Plain http over a network is refused although the hash
 * would show a change: whoever listens learns what the shop's machines and addresses are.
 * @throws EdgeError COMMAND_REFUSED: a wrong address, size or hash; UPLINK_UNREACHABLE: the server does not give it
 */
export async function download({ url, sha256, bytesMax, msMax, ca }: Wanted, signal: AbortSignal): Promise<Buffer> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(msMax)]);
  const bytes = await fetchBytes(checkedUrl(url), { bytesMax, ca, redirects: REDIRECTS_MAX }, within).catch((error) => {
    if (error instanceof EdgeError) throw error;
    const why = within.aborted ? `not within ${msMax / 1_000} s` : messageOf(error);
    throw new EdgeError("UPLINK_UNREACHABLE", `${withoutQuery(url)} could not be fetched: ${why}`, {
      cause: error,
      hint: "The address must be reachable from this box; check it with curl there.",
    });
  });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256.toLowerCase()) {
    throw refused(
      `what ${withoutQuery(url)} gives has the sha256 ${found}, not ${sha256.toLowerCase()}`,
      "the file was changed after its hash was taken, or the address leads to another one",
    );
  }
  return bytes;
}

function checkedUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw refused(`'${withoutQuery(text)}' is not an address`, "write https://…");
  if (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname))) return url;
  throw refused(
    `'${withoutQuery(text)}' is neither https nor on this box itself`,
    "put the file where it is served by https",
  );
}

async function fetchBytes(
  url: URL,
  { bytesMax, ca, redirects }: { bytesMax: number; ca: string | undefined; redirects: number },
  signal: AbortSignal,
): Promise<Buffer> {
  const response = await responseOf(url, ca, signal);
  const { statusCode = 0, headers } = response;
  if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
    response.destroy();
    if (redirects === 0) throw refused(`${withoutQuery(url.href)} leads on and on`, "give the last address itself");
    const next = checkedUrl(new URL(headers.location, url).href);
    if (next.protocol !== url.protocol) {
      throw refused(
        `${withoutQuery(url.href)} leads from ${url.protocol} to ${next.protocol}`,
        "give the last address itself",
      );
    }
    return fetchBytes(next, { bytesMax, ca, redirects: redirects - 1 }, signal);
  }
  if (statusCode !== 200) {
    response.destroy();
    throw new Error(`the server answers ${statusCode}`);
  }
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > bytesMax) {
      response.destroy();
      throw refused(`the file has more than ${bytesMax} bytes`, "a configuration is text of some hundred lines");
    }
    pieces.push(piece);
  }
  if (!response.complete) throw new Error("the connection ended before the file did");
  return Buffer.concat(pieces);
}

function responseOf(url: URL, ca: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asked =
    url.protocol === "https:"
      ? httpsRequest(url, { signal, ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }) }, resolve)
      : httpRequest(url, { signal }, resolve);
  asked.on("error", reject);
  asked.end();
  return promise;
}

function refused(message: string, hint: string): EdgeError {
  return new EdgeError("COMMAND_REFUSED", message, { hint });
}
