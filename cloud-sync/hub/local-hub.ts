import type { Server } from "node:https";
import { type AddressInfo, isIPv6 } from "node:net";
import { join, resolve } from "node:path";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import { consumerGroupsOf } from "./amqp/consumer-groups.ts";
import { type AmqpFront, startAmqp } from "./amqp/start-amqp.ts";
import { hubAuthority, hubCertificates, type ServerCertificate } from "./certificates.ts";
import { connectionsOfHub } from "./connection-strings.ts";
import { connectionsPath, type HubAddresses, writeHubFiles } from "./hub-file.ts";
import { type MqttFront, startMqtt } from "./mqtt/start-mqtt.ts";
import { type HubOptions, openHub } from "./open-hub.ts";
import type { Hub } from "./ports.ts";
import { createRest } from "./rest/rest-server.ts";
import { openServices } from "./services/hub-services.ts";
import { startWorkload, type WorkloadOptions } from "./workload/workload-server.ts";

const RENEWAL_CHECK_MS = 86_400_000;

export interface LocalHubOptions extends HubOptions {
  /** Address that the servers listen on: loopback, unless the hub serves a site. */
  readonly host: string;
  /** 0 is any free one; null leaves the server out. */
  readonly ports: {
    readonly mqtt: number;
    readonly https: number;
    readonly amqp: number | null;
    readonly amqpPlain: number | null;
  };
  readonly workload: WorkloadOptions["at"] | null;
  /** PEM, beside the hub's own: authorities that sign the certificates of devices. */
  readonly deviceCaCertificates?: readonly string[];
  /** Whether a message may cut its own connection, for tests of clients; default false. */
  readonly allowFaults?: boolean;
  /** Of consumers of events, beside $Default; 19 at most. */
  readonly consumerGroups?: readonly string[];
  /** Made when they are not there. */
  readonly deviceIds: readonly string[];
}

export interface LocalHub extends AsyncDisposable {
  readonly hub: Hub;
  readonly addresses: HubAddresses;
}

/**
 * Opens the hub of a folder and starts all of its servers; writes hub.json and connections.json into the folder.
 * Disposing it ends the servers first, then closes the files.
 * @throws HubError ServiceUnavailable (the files), ArgumentInvalid (consumer groups), EdgeError HUB_UNAVAILABLE (a port)
 */
export async function startLocalHub(options: LocalHubOptions): Promise<LocalHub> {
  const { host, ports, clock } = options;
  const folder = resolve(options.folder);
  const groups = consumerGroupsOf(options.consumerGroups ?? []);
  const stack = new AsyncDisposableStack();
  try {
    const certificate = await hubCertificates(folder, options.hostName, clock);
    const hub = stack.use(openHub({ ...options, folder }));
    const services = stack.use(openServices(hub, folder));
    for (const deviceId of options.deviceIds)
      if (hub.registry.get({ deviceId }) === undefined) hub.registry.create({ deviceId }, {});
    const { key, cert, ca } = certificate;
    const caCertificates = [ca, ...(options.deviceCaCertificates ?? [])];
    const allowFaults = options.allowFaults ?? false;
    const context = { ca: caCertificates, requestCert: true, rejectUnauthorized: false };
    const rest = createRest({ hub, services }, { ...context, key, cert });
    // Taken down last: it waits for its WebSockets, which the other fronts close.
    stack.defer(() => rest.close());
    const mqtt = await listening("MQTT", ports.mqtt, () =>
      startMqtt(hub, { host, port: ports.mqtt, key, cert, caCertificates, allowFaults }),
    );
    stack.defer(() => mqtt.close());
    const amqp = await listening("AMQP", ports.amqp ?? ports.amqpPlain ?? 0, () =>
      startAmqp(hub, {
        host,
        consumerGroups: groups,
        ...(ports.amqp === null ? {} : { tls: { port: ports.amqp, key, cert } }),
        ...(ports.amqpPlain === null ? {} : { plain: { port: ports.amqpPlain } }),
      }),
    );
    stack.defer(() => amqp.close());
    await listening("HTTPS", ports.https, () => rest.listen({ host, port: ports.https }));
    stack.use(upgradeFrom(rest.server, mqtt, amqp));
    const authority = hubAuthority(folder);
    const at = options.workload;
    const workload = at === null || authority === undefined ? undefined : await startWorkload(hub, { authority, at });
    stack.defer(async () => workload?.close());
    const failures = new FailureLog(hub.logger, clock, { component: "hub certificate" });
    const renewing = keepCertificate(folder, options.hostName, clock, failures, (renewed) => {
      rest.server.setSecureContext({ ca: caCertificates, key: renewed.key, cert: renewed.cert });
      mqtt.setCertificate(renewed);
      amqp.renewCertificate(renewed);
    });
    stack.defer(() => renewing.abort());
    // Nobody can connect to "every address": what the hub is called will do.
    const isWildcard = host === "0.0.0.0" || host === "::";
    const shown = isWildcard ? hub.hostName : isIPv6(host) ? `[${host}]` : host;
    const addresses: HubAddresses = {
      hostName: hub.hostName,
      hubName: hub.hubName,
      mqtt: `mqtts://${shown}:${mqtt.port}`,
      https: `https://${shown}:${portOf(rest.server)}`,
      amqp: amqp.port === undefined ? null : `amqps://${shown}:${amqp.port}`,
      amqpPlain: amqp.plainPort === undefined ? null : `amqp://${shown}:${amqp.plainPort}`,
      workload: workload?.uri ?? null,
      ca: join(folder, "ca.pem"),
      connections: connectionsPath(folder),
      pid: process.pid,
    };
    const inUse = { mqtt: mqtt.port, amqp: amqp.port, amqpPlain: amqp.plainPort };
    writeHubFiles(folder, addresses, connectionsOfHub(hub, inUse, options.deviceIds));
    const all = stack.move();
    return { hub, addresses, [Symbol.asyncDispose]: () => all.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function listening<T>(what: string, port: number, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw new EdgeError("HUB_UNAVAILABLE", `${what} cannot listen on port ${port}: ${messageOf(error)}`, {
      cause: error,
      hint: "Another program may have the port; ports below 1024 need rights of their own. Choose another, or 0.",
    });
  }
}

/** One address for REST and for MQTT and AMQP over WebSocket, told apart by the path and the protocol asked for. */
function upgradeFrom(server: Server, mqtt: MqttFront, amqp: AmqpFront): Disposable {
  let isEnding = false;
  server.on("upgrade", (request, socket, head) => {
    if (isEnding) socket.destroy();
    else if (!amqp.upgrade(request, socket, head)) mqtt.handleUpgrade(request, socket, head);
  });
  return {
    [Symbol.dispose]() {
      isEnding = true;
    },
  };
}

/** Looks once a day whether the server's certificate is near its end. */
function keepCertificate(
  folder: string,
  hostName: string,
  clock: Clock,
  failures: FailureLog,
  renew: (certificate: ServerCertificate) => void,
): AbortController {
  const ending = new AbortController();
  const keep = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(RENEWAL_CHECK_MS, ending.signal);
      if (ending.signal.aborted) return;
      try {
        renew(await hubCertificates(folder, hostName, clock));
        failures.recovered();
      } catch (error) {
        failures.failed(error);
      }
    }
  };
  void keep();
  return ending;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
