import { request } from "node:http";

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The address that it comes from, of loopback. */
  readonly from?: string;
  readonly body?: string;
}

/** A request as no browser sends it: its path as it stands, any Host, from any address of this computer, over a connection of its own. */
export function rawRequest(
  url: string,
  path: string,
  { method = "GET", headers = {}, from, body }: RawRequest = {},
): Promise<{ status: number; headers: Readonly<Record<string, unknown>>; body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request(
      { hostname, port, path, method, headers, agent: false, ...(from && { localAddress: from }) },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      },
    );
    asked.on("error", reject).end(body);
  });
}
