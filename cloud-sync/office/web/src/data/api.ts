const TIMEOUT_MS = 20_000;

/** What the server refused or could not do, in its own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;
  /** The whole answer: a conflict holds the present state. */
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(typeof body.message === "string" ? body.message : `the server answered ${status}`);
    this.status = status;
    this.code = typeof body.error === "string" ? body.error : "FAILED";
    this.hint = typeof body.hint === "string" ? body.hint : null;
    this.body = body;
  }
}

export type Param = string | number | boolean | undefined | readonly (string | number)[];

/** What the page knows of its line to the server, and of its right to ask. */
export const line = {
  csrf: "",
  /** When the server did not answer for the first time; null while it does. */
  downSinceMs: null as number | null,
  onDown: (): void => undefined,
  onLoginNeeded: (): void => undefined,
};

export function pathOf(path: string, params: Readonly<Record<string, Param>> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    for (const each of [value].flat()) if (each !== undefined && each !== "") query.append(name, String(each));
  return query.size === 0 ? path : `${path}?${query}`;
}

/** An answer that has not changed costs a line: the browser asks with the ETag of what it holds. */
export function get<T>(path: string, params: Readonly<Record<string, Param>>, signal?: AbortSignal): Promise<T> {
  return ask<T>("GET", pathOf(path, params), { signal }).then(({ body }) => body);
}

export interface Sent {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** @throws ApiError when the server says no; whatever `fetch` throws when there is no line */
export async function ask<T>(method: string, path: string, sent: Sent = {}): Promise<{ body: T; etag: string | null }> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const isChange = method !== "GET";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      signal: sent.signal ? AbortSignal.any([sent.signal, timeout]) : timeout,
      headers: {
        ...(sent.body === undefined ? {} : { "content-type": "application/json" }),
        ...(isChange && line.csrf !== "" ? { "x-csrf-token": line.csrf } : {}),
        ...sent.headers,
      },
      ...(sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }),
    });
  } catch (error) {
    if (!sent.signal?.aborted) setDown(true);
    throw error;
  }
  const body = (await response.json().catch(() => ({}))) as T & Record<string, unknown>;
  setDown(response.status >= 502 && response.status <= 504 && body.error === undefined);
  if (response.ok) return { body, etag: response.headers.get("etag") };
  if (response.status === 401 && !path.startsWith("/api/session")) line.onLoginNeeded();
  throw new ApiError(response.status, body ?? {});
}

function setDown(isDown: boolean): void {
  if (isDown === (line.downSinceMs !== null)) return;
  line.downSinceMs = isDown ? Date.now() : null;
  line.onDown();
}

/** A sentence for people, whatever was thrown. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ApiError) return error.hint === null ? `${error.message}.` : `${error.message}. ${error.hint}`;
  return "The server does not answer.";
}
