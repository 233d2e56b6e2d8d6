import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export const CLIENT = { id: "tailstock-office", secret: "a secret of the office, long enough" } as const;

/** What of the package is used here; it brings no types. */
interface ProviderPackage {
  readonly default: new (issuer: string, configuration: object) => { callback(): RequestListener };
}

/** A real OpenID Connect provider on loopback, with pages for login and consent; any password will do. */
export class IdentityProvider implements AsyncDisposable {
  readonly issuer: string;
  readonly #server: ReturnType<typeof createServer>;
  #handler: RequestListener = (_request, response) => response.writeHead(503).end();

  private constructor(server: ReturnType<typeof createServer>, host: string) {
    this.#server = server;
    this.issuer = `http://${host}:${(server.address() as AddressInfo).port}`;
  }

  /** @param host how it is called: to browsers, localhost is another site than 127.0.0.1 */
  static async start(host: "127.0.0.1" | "localhost" = "127.0.0.1"): Promise<IdentityProvider> {
    let provider: IdentityProvider | undefined;
    const server = createServer((request, response) => provider?.handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    provider = new IdentityProvider(server, host);
    return provider;
  }

  /** Codes that somebody wanted to turn into tokens. */
  codesSent = 0;

  handle: RequestListener = (request, response) => {
    if (request.url?.startsWith("/token")) this.codesSent++;
    this.#handler(request, response);
  };

  /** @param claims of people, by the name that they log in with */
  async open(redirectUrl: string, claims: Readonly<Record<string, object>>): Promise<void> {
    // By a name that the compiler does not follow: the package has no types.
    const name: string = "oidc-provider";
    const { default: Provider } = (await import(name)) as ProviderPackage;
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          redirect_uris: [redirectUrl],
          token_endpoint_auth_method: "client_secret_post",
        },
      ],
      pkce: { required: () => true },
      cookies: { keys: ["of the test"] },
      claims: { openid: ["sub"], profile: ["name", "realm_access"] },
      findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...claims[id] }) }),
    });
    this.#handler = provider.callback();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A browser without a screen: follows redirects, keeps cookies by host, sends the forms that it is shown. */
export class Wanderer {
  readonly #cookies = new Map<string, Map<string, string>>();

  cookiesOf(url: string): Map<string, string> {
    const { host } = new URL(url);
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    return jar;
  }

  /** Where it stands at last; `until` stops it before an address. */
  async go(
    url: string,
    { form, until }: { form?: Readonly<Record<string, string>>; until?: (url: string) => boolean } = {},
  ): Promise<{ url: string; status: number; body: string }> {
    let [at, body] = [url, form];
    for (let hops = 0; hops < 20; hops++) {
      if (until?.(at)) return { url: at, status: 0, body: "" };
      const jar = this.cookiesOf(at);
      const response = await fetch(at, {
        redirect: "manual",
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "), accept: "text/html" },
        ...(body && { method: "POST", body: new URLSearchParams(body) }),
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        if (value === "") jar.delete(name);
        else jar.set(name, value);
      }
      const location = response.headers.get("location");
      if (location === null) return { url: at, status: response.status, body: await response.text() };
      [at, body] = [new URL(location, at).href, undefined];
    }
    throw new Error(`goes round in circles at ${at}`);
  }

  /** Fills in the form of the page where it stands. */
  async submit(
    page: { url: string; body: string },
    values: Readonly<Record<string, string>>,
    until?: (url: string) => boolean,
  ): Promise<{ url: string; status: number; body: string }> {
    const action = /<form[^>]* action="([^"]+)"/.exec(page.body)?.[1];
    if (action === undefined) throw new Error(`no form at ${page.url}: ${page.body.slice(0, 500)}`);
    const hidden = [...page.body.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = { ...Object.fromEntries(hidden.map(([, name, value]) => [name, value])), ...values };
    return this.go(new URL(action, page.url).href, { form, ...(until && { until }) });
  }
}
