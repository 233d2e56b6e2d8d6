import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { HubAddresses, HubConnections } from "../../cloud-sync/hub/hub-file.ts";
import { readHubConnections } from "../../cloud-sync/hub/hub-file.ts";
import { firstLine, startProgram } from "./runtime-process.ts";

/** The local hub as a process of its own, which may be killed and comes back on the same ports and the same folder. */
export class HubProgram implements AsyncDisposable {
  readonly #folder: string;
  readonly #devices: readonly string[];
  readonly #more: readonly string[];
  #child: ChildProcess | undefined;
  #addresses: HubAddresses | undefined;

  constructor(folder: string, devices: readonly string[], more: readonly string[] = []) {
    this.#folder = folder;
    this.#devices = devices;
    this.#more = more;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get addresses(): HubAddresses {
    if (this.#addresses === undefined) throw new Error("the hub was not started");
    return this.#addresses;
  }

  get connections(): HubConnections {
    return readHubConnections(this.addresses.connections);
  }

  /** Of the Event Hubs endpoint, without TLS. */
  get eventsConnection(): string {
    const { eventsPlain } = this.connections;
    if (eventsPlain === null) throw new Error("the hub has no AMQP port");
    return eventsPlain;
  }

  /** A device's connection string, by way of a relay's port in place of the hub's own. */
  deviceConnection(id: string, port = portOf(this.addresses.mqtt)): string {
    const own = this.connections.devices[id];
    if (own === undefined) throw new Error(`the hub was not started with the device ${id}`);
    const parts = own.split(";").filter((part) => !part.startsWith("GatewayHostName="));
    return [...parts, `GatewayHostName=localhost:${port}`].join(";");
  }

  async start(): Promise<this> {
    const known = this.#addresses;
    const port = (url: string | null | undefined): string => (url == null ? "0" : `${portOf(url)}`);
    const child = startProgram([
      "cloud-sync/hub/main.ts",
      ...["--folder", this.#folder],
      ...["--port-mqtt", port(known?.mqtt)],
      ...["--port-https", port(known?.https)],
      ...["--port-amqp", port(known?.amqp)],
      ...["--port-amqp-plain", port(known?.amqpPlain)],
      ...["--port-workload", "off"],
      ...this.#devices.flatMap((id) => ["--device", id]),
      ...this.#more,
    ]);
    this.#child = child;
    this.#addresses = JSON.parse(await firstLine(child)) as HubAddresses;
    return this;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "close");
    child.kill(signal);
    await closed;
  }
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}
