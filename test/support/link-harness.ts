import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { JsonObject, JsonValue } from "../../cloud-sync/contract/event.ts";
import { type ConnectorDeps, createConnector } from "../../cloud-sync/uplink/link/connector.ts";
import type { HubConnector, HubRequests, HubSession, Lane, Outgoing } from "../../cloud-sync/uplink/ports.ts";
import { type Clock, systemClock } from "../../edge/kernel/clock.ts";
import { DEFAULTS } from "../../edge/kernel/config/defaults.ts";
import type { UplinkConfig, UplinkIdentity } from "../../edge/kernel/config/model.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { RunningHub } from "./running-hub.ts";
import { tempFolder } from "./temp-folder.ts";

export const DEVICE = "box-7";
export const logger = pino({ level: process.env.TAILSTOCK_TEST_LOG ?? "silent" });

export function uplinkConfig(identity: UplinkIdentity, more: Partial<UplinkConfig> = {}): UplinkConfig {
  const { transport, latencyMs, latencyMsMax, windowMessages, sendTimeoutMs, allow } = DEFAULTS.uplink;
  const own = { transport, latencyMs, latencyMsMax, windowMessages, sendTimeoutMs, allow };
  return { identity, caPath: undefined, bytesPerSecondMax: undefined, unitsPerDayMax: undefined, ...own, ...more };
}

export function fileOf(name: string, text: string): string {
  const path = join(tempFolder(), name);
  writeFileSync(path, text);
  return path;
}

export interface Wanted {
  /** In place of the hub's own port: a proxy's. */
  readonly port?: number;
  readonly host?: string;
  readonly key?: string;
  readonly moduleId?: string;
  readonly ca?: string;
  readonly more?: Partial<UplinkConfig>;
}

/** A box with a key, registered at the hub unless it is there already. */
export function keyConfig({ hub, mqtt, ca }: RunningHub, wanted: Wanted = {}): UplinkConfig {
  const { moduleId } = wanted;
  const identity = { deviceId: DEVICE, ...(moduleId === undefined ? {} : { moduleId }) };
  if (hub.registry.get({ deviceId: DEVICE }) === undefined) hub.registry.create({ deviceId: DEVICE }, {});
  if (hub.registry.get(identity) === undefined) hub.registry.create(identity, {});
  const key = wanted.key ?? hub.registry.get(identity)?.authentication.symmetricKey.primaryKey;
  const module = moduleId === undefined ? "" : `;ModuleId=${moduleId}`;
  const gateway = `${wanted.host ?? hub.hostName}:${wanted.port ?? mqtt.port}`;
  const text = `HostName=${hub.hostName};DeviceId=${DEVICE}${module};SharedAccessKey=${key};GatewayHostName=${gateway}`;
  return uplinkConfig(
    { kind: "connection-string", connectionStringPath: fileOf("hub", `${text}\n`) },
    { caPath: fileOf("ca.pem", wanted.ca ?? ca), ...wanted.more },
  );
}

/** What the hub asked for, answered with what was asked. */
export class HeardRequests implements HubRequests {
  readonly commands: { name: string; payload: JsonValue; via: string; messageId?: string }[] = [];
  readonly desireds: JsonObject[] = [];

  async command(request: Parameters<HubRequests["command"]>[0]): Promise<{ status: number; payload: JsonValue }> {
    this.commands.push({ ...request });
    return { status: 207, payload: { heard: request.name, payload: request.payload } };
  }

  desired(properties: JsonObject): void {
    this.desireds.push(properties);
  }
}

export interface TestLink {
  readonly connector: HubConnector;
  readonly requests: HeardRequests;
  /** Connects; the session is closed when the test ends. */
  open(): Promise<HubSession>;
  /** The EdgeError of an attempt that must fail. */
  fail(): Promise<EdgeError>;
}

export function testLink(config: UplinkConfig, more: Partial<ConnectorDeps> = {}): TestLink {
  const requests = new HeardRequests();
  const clock: Clock = more.clock ?? systemClock;
  const connector = createConnector(config, { requests, clock, logger, httpsPort: 1, ...more });
  const connect = () => connector.connect(AbortSignal.timeout(15_000));
  return {
    connector,
    requests,
    async open() {
      const session = await connect();
      onTestFinished(() => session[Symbol.asyncDispose]());
      return session;
    },
    async fail() {
      try {
        await using session = await connect();
        throw new Error(`it connected all the same, ${session.lost}`);
      } catch (error) {
        if (error instanceof EdgeError) return error;
        throw error;
      }
    },
  };
}

let made = 0;

export function outgoing(
  body: Buffer | string,
  lane: Lane = "telemetry",
  properties: Record<string, string> = {},
): Outgoing {
  return {
    id: `m-${++made}`,
    lane,
    body: Buffer.from(body),
    contentType: "application/vnd.tailstock.blocks",
    properties,
  };
}
