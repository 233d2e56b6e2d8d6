import type { HubConnections } from "./hub-file.ts";
import type { Hub, RegistryEntry } from "./ports.ts";

const MQTT_PORT = 8883;

export interface HubPortsInUse {
  readonly mqtt: number;
  readonly amqp: number | undefined;
  readonly amqpPlain: number | undefined;
}

/**
 * As Microsoft's device clients take it. Another port than 8883 goes in as a gateway's address, so that tokens and user
 * names keep the hub's plain name; with a certificate clients leave the gateway out, and the port stands beside the name.
 */
export function deviceConnectionString(
  entry: Pick<RegistryEntry, "deviceId" | "moduleId" | "authentication">,
  hostName: string,
  mqttPort: number,
): string {
  const { deviceId, moduleId, authentication } = entry;
  const identity = moduleId === undefined ? `DeviceId=${deviceId}` : `DeviceId=${deviceId};ModuleId=${moduleId}`;
  if (authentication.type !== "sas") {
    return `HostName=${withPort(hostName, mqttPort)};${identity};x509=true`;
  }
  const gateway = mqttPort === MQTT_PORT ? "" : `;GatewayHostName=${hostName}:${mqttPort}`;
  return `HostName=${hostName};${identity};SharedAccessKey=${authentication.symmetricKey.primaryKey}${gateway}`;
}

/** Of the policies, of the events, and of the devices named. */
export function connectionsOfHub(hub: Hub, ports: HubPortsInUse, deviceIds: readonly string[]): HubConnections {
  const policies = hub.access.all().map(({ name, primaryKey }) => {
    return [name, `HostName=${hub.hostName};SharedAccessKeyName=${name};SharedAccessKey=${primaryKey}`] as const;
  });
  const devices = deviceIds.flatMap((deviceId) => {
    const entry = hub.registry.get({ deviceId });
    return entry === undefined ? [] : [[deviceId, deviceConnectionString(entry, hub.hostName, ports.mqtt)] as const];
  });
  return {
    policies: Object.fromEntries(policies),
    events: ports.amqp === undefined ? null : eventsConnectionString(hub, ports.amqp, ""),
    eventsPlain:
      ports.amqpPlain === undefined
        ? null
        : eventsConnectionString(hub, ports.amqpPlain, ";UseDevelopmentEmulator=true"),
    devices: Object.fromEntries(devices),
  };
}

function eventsConnectionString(hub: Hub, port: number, more: string): string {
  const owner = hub.access.get("iothubowner");
  return `Endpoint=sb://${hub.hostName}:${port}/;SharedAccessKeyName=iothubowner;SharedAccessKey=${owner?.primaryKey};EntityPath=${hub.hubName}${more}`;
}

function withPort(hostName: string, port: number): string {
  return port === MQTT_PORT ? hostName : `${hostName}:${port}`;
}
