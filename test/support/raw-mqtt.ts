import { once } from "node:events";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { onTestFinished } from "vitest";
import type { Hub, Identity } from "../../cloud-sync/hub/ports.ts";
import { signSas } from "../../cloud-sync/hub/sas.ts";
import { HOST, type RunningHub } from "./running-hub.ts";
import { until } from "./until.ts";

/** An MQTT client without manners: sends what it is told, keeps what it gets. */
export class RawMqtt {
  readonly packets: Packet[] = [];
  isClosed = false;
  readonly stream: Duplex;

  constructor(stream: Duplex) {
    this.stream = stream;
    const input = parser({ protocolVersion: 4 });
    input.on("packet", (packet) => this.packets.push(packet));
    stream.on("data", (bytes: Buffer) => input.parse(bytes));
    stream.on("error", () => undefined);
    for (const end of ["end", "close"]) {
      stream.on(end, () => {
        this.isClosed = true;
      });
    }
  }

  send(packet: Packet): void {
    this.stream.write(generate(packet));
  }

  publish(topic: string, payload: Buffer | string, more: Partial<IPublishPacket> = {}): void {
    const qos = more.messageId === undefined ? 0 : 1;
    this.send({ cmd: "publish", topic, payload, qos, dup: false, retain: false, ...more });
  }

  /** The first packet of the kind that is not taken yet. */
  async next<C extends Packet["cmd"]>(cmd: C): Promise<Extract<Packet, { cmd: C }>> {
    return await until(`a packet ${cmd}`, () => {
      const at = this.packets.findIndex((packet) => packet.cmd === cmd);
      return at < 0 ? undefined : (this.packets.splice(at, 1)[0] as Extract<Packet, { cmd: C }>);
    });
  }

  async closed(): Promise<void> {
    await until("the hub closes the connection", () => this.isClosed);
  }

  /** Sends CONNECT and gives the return code. */
  async connect(packet: IConnectPacket): Promise<{ returnCode: number; sessionPresent: boolean }> {
    this.send(packet);
    const { returnCode = -1, sessionPresent } = await this.next("connack");
    return { returnCode, sessionPresent };
  }
}

/** A TLS connection to the hub; destroyed when the test ends. */
export async function rawMqtt({ mqtt, ca }: RunningHub, options: ConnectionOptions = {}): Promise<RawMqtt> {
  const socket = connect({ port: mqtt.port, host: "127.0.0.1", servername: HOST, ca, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return new RawMqtt(socket);
}

/** A CONNECT as the SDK sends it. */
export function connectPacket(hub: Hub, identity: Identity, more: Partial<IConnectPacket> = {}): IConnectPacket {
  const { deviceId, moduleId } = identity;
  const clientId = moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`;
  const key = hub.registry.get(identity)?.authentication.symmetricKey.primaryKey ?? "";
  const resource = `${HOST}/devices/${clientId.replace("/", "/modules/")}`;
  return {
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 4,
    clean: true,
    clientId,
    keepalive: 60,
    username: `${HOST}/${clientId}/?api-version=2021-04-12`,
    password: Buffer.from(signSas(resource, key, hub.clock.nowMs() + 3_600_000)),
    ...more,
  };
}

/** Registers the device unless it is there, and connects it. */
export async function rawDevice(
  running: RunningHub,
  deviceId: string,
  more: Partial<IConnectPacket> = {},
): Promise<RawMqtt> {
  if (running.hub.registry.get({ deviceId }) === undefined) running.hub.registry.create({ deviceId }, {});
  const client = await rawMqtt(running);
  const { returnCode } = await client.connect(connectPacket(running.hub, { deviceId }, more));
  if (returnCode !== 0) throw new Error(`refused with ${returnCode}`);
  return client;
}
