import { readFileSync } from "node:fs";
import { request } from "node:https";
import { connect } from "node:net";
import { pino } from "pino";
import type { HubAddresses } from "../../../../cloud-sync/hub/hub-file.ts";
import type { AuthenticationType } from "../../../../cloud-sync/hub/ports.ts";
import { EdgeError, messageOf } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";

const ANSWER_MS_MAX = 10_000;
const TOKEN_MS = 60_000;

/** A device as the hub's REST API shows it; what the commands show of it. */
export interface HubDevice {
  readonly deviceId: string;
  readonly status: string;
  readonly connectionState: string;
  readonly lastActivityTime: string;
  readonly authentication: {
    readonly type: AuthenticationType;
    readonly symmetricKey: { readonly primaryKey: string | null; readonly secondaryKey: string | null };
    readonly x509Thumbprint: { readonly primaryThumbprint: string | null; readonly secondaryThumbprint: string | null };
  };
}

export interface HubIdentities {
  list(): Promise<readonly HubDevice[]>;
  /** @throws EdgeError USAGE when there is none */
  get(deviceId: string): Promise<HubDevice>;
  /** @param thumbprint of its certificate; by a key when there is none @throws EdgeError USAGE when it is there, or is no id */
  add(deviceId: string, thumbprint?: string): Promise<HubDevice>;
}

/**
 * The registry of a hub, whether it runs (then by its REST API) or not (then from its file).
 * @throws EdgeError HUB_UNAVAILABLE
 */
export async function withIdentities<T>(
  cli: Cli,
  { folder, addresses }: { readonly folder: string; readonly addresses: HubAddresses },
  use: (identities: HubIdentities) => Promise<T>,
): Promise<T> {
  if (isAlive(addresses.pid) && (await isListening(addresses.https)))
    return await use(await identitiesByRest(cli, addresses));
  const [{ openHub }, { deviceView }, { HubError }] = await Promise.all([
    import("../../../../cloud-sync/hub/open-hub.ts"),
    import("../../../../cloud-sync/hub/rest/views/identity-view.ts"),
    import("../../../../cloud-sync/hub/hub-error.ts"),
  ]);
  const { hostName, hubName } = addresses;
  try {
    await using hub = openHub({ folder, hostName, hubName, clock: cli.clock, logger: pino({ level: "silent" }) });
    const shown = (entry: Parameters<typeof deviceView>[0]): HubDevice => deviceView(entry) as unknown as HubDevice;
    return await use({
      list: async () => hub.registry.devices(Number.MAX_SAFE_INTEGER).map(shown),
      get: async (deviceId) => {
        const entry = hub.registry.get({ deviceId });
        if (entry === undefined) throw unknown(deviceId);
        return shown(entry);
      },
      add: async (deviceId, thumbprint) => shown(hub.registry.create({ deviceId }, writeOf(thumbprint))),
    });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const code = error.code === "ServiceUnavailable" ? "HUB_UNAVAILABLE" : "USAGE";
    throw new EdgeError(code, error.message, { cause: error });
  }
}

async function identitiesByRest(cli: Cli, addresses: HubAddresses): Promise<HubIdentities> {
  const [{ readHubConnections }, { signSas }] = await Promise.all([
    import("../../../../cloud-sync/hub/hub-file.ts"),
    import("../../../../cloud-sync/hub/sas.ts"),
  ]);
  const owner = readHubConnections(addresses.connections).policies.iothubowner ?? "";
  const key = /SharedAccessKey=([^;]+)/.exec(owner)?.[1] ?? "";
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const token = signSas(addresses.hostName, key, cli.clock.nowMs() + TOKEN_MS, "iothubowner");
    return await exchange(addresses, { method, path, body, token });
  };
  return {
    list: async () => (await ask("GET", "/devices")) as readonly HubDevice[],
    get: async (deviceId) => (await ask("GET", `/devices/${encodeURIComponent(deviceId)}`)) as HubDevice,
    add: async (deviceId, thumbprint) =>
      (await ask("PUT", `/devices/${encodeURIComponent(deviceId)}`, { deviceId, ...writeOf(thumbprint) })) as HubDevice,
  };
}

/** @throws EdgeError USAGE what the hub refuses, HUB_UNAVAILABLE when it does not answer */
function exchange(
  { https, ca, hostName }: HubAddresses,
  { method, path, body, token }: { method: string; path: string; body: unknown; token: string },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const url = new URL(`${path}?api-version=2021-04-12`, https);
    const headers = { authorization: token, "content-type": "application/json" };
    const options = { method, headers, ca: readFileSync(ca), servername: hostName, timeout: ANSWER_MS_MAX };
    const asked = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => {
        const answer = JSON.parse(text === "" ? "null" : text) as { Message?: string };
        if ((response.statusCode ?? 500) < 300) resolve(answer);
        else reject(new EdgeError("USAGE", answer.Message?.split(";").slice(1).join(";") ?? `the hub said ${text}`));
      });
    });
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${ANSWER_MS_MAX / 1_000} s`)));
    asked.on("error", (error) => {
      reject(
        new EdgeError("HUB_UNAVAILABLE", `the hub at ${https} does not answer: ${messageOf(error)}`, { cause: error }),
      );
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function writeOf(thumbprint: string | undefined): Partial<Pick<HubDevice, "authentication">> {
  if (thumbprint === undefined) return {};
  return {
    authentication: {
      type: "selfSigned",
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: { primaryThumbprint: thumbprint, secondaryThumbprint: null },
    },
  };
}

function unknown(deviceId: string): EdgeError {
  return new EdgeError("USAGE", `device ${deviceId} is not registered`, { hint: "tailstock hub devices list" });
}

/** After a crash another program may have the number of the process that the hub was. */
function isListening(https: string): Promise<boolean> {
  const { hostname, port } = new URL(https);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port || 443), timeout: ANSWER_MS_MAX });
    const answer = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => answer(true));
    socket.once("timeout", () => answer(true));
    socket.once("error", () => answer(false));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, but somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
