import type { Logger } from "pino";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import { edgeStreamOf } from "../../cloud-sync/contract/event.ts";
import type { Sample } from "../../cloud-sync/contract/sample.ts";
import { ConnectionRunner } from "../drivers/connection-runner.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Component } from "../kernel/component.ts";
import type { ConfigChange } from "../kernel/config/diff.ts";
import type { Config, Connection, ModbusConnection, ModbusTransport, OpcuaConnection } from "../kernel/config/model.ts";

export interface ConnectionsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly accept: (samples: readonly Sample[]) => void;
  readonly publish: (event: NewEvent) => void;
  readonly supervise: (component: Component) => { stop(): Promise<void> };
}

interface Running {
  readonly handle: { stop(): Promise<void> };
  readonly apply: (connection: Connection) => void;
}

/** The connections of the configuration in force, each a supervised component; a new configuration touches only what changed. */
export class Connections {
  readonly #deps: ConnectionsDeps;
  readonly #running = new Map<string, Running>();

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps;
  }

  async start(config: Config): Promise<void> {
    for (const connection of config.connections) await this.#start(config, connection);
  }

  /** Brings what runs to the new configuration. A replaced connection is closed before its successor begins. */
  async change(config: Config, changes: readonly ConfigChange[]): Promise<void> {
    for (const change of changes) {
      const { connectionId } = change;
      if (connectionId === null) continue;
      const running = this.#running.get(connectionId);
      const connection = config.connections.find(({ id }) => id === connectionId);
      if (change.effect === "apply" && running && connection) {
        running.apply(connection);
        continue;
      }
      await running?.handle.stop();
      this.#running.delete(connectionId);
      if (connection) await this.#start(config, connection);
    }
  }

  async #start(config: Config, connection: Connection): Promise<void> {
    const runner =
      connection.protocol === "opcua" ? await this.#opcua(config, connection) : await this.#modbus(config, connection);
    this.#running.set(connection.id, { handle: this.#deps.supervise(runner.component), apply: runner.apply });
  }

  async #opcua(config: Config, connection: OpcuaConnection) {
    const { clock, logger, accept, publish } = this.#deps;
    // Loaded when it is needed: each protocol stack costs memory that a box without such machines should keep.
    const { OpcuaDriver } = await import("../drivers/opcua/opcua-driver.ts");
    const component = new ConnectionRunner({
      connectionId: connection.id,
      protocol: "opcua",
      address: connection.endpointUrl,
      machines: connection.machines,
      driver: () => new OpcuaDriver(connection, config.opcua, { clock, logger }),
      accept,
      publish,
      edgeStream: edgeStreamOf(config.site),
      clock,
      logger,
    });
    return { component, apply: (next: Connection) => next.protocol === "opcua" && component.apply(next.machines) };
  }

  async #modbus(config: Config, connection: ModbusConnection) {
    const { clock, logger, accept, publish } = this.#deps;
    const { ModbusDriver } = await import("../drivers/modbus/modbus-driver.ts");
    const component = new ConnectionRunner({
      connectionId: connection.id,
      protocol: "modbus",
      address: modbusAddress(connection.transport),
      machines: connection.machines,
      driver: () => new ModbusDriver(connection, { clock, logger }),
      accept,
      publish,
      edgeStream: edgeStreamOf(config.site),
      clock,
      logger,
    });
    return { component, apply: (next: Connection) => next.protocol === "modbus" && component.apply(next.machines) };
  }
}

function modbusAddress(transport: ModbusTransport): string {
  if (transport.kind === "rtu") return `modbus+rtu://${transport.device}`;
  return `modbus+${transport.kind === "tcp" ? "tcp" : "rtu-tcp"}://${transport.host}:${transport.port}`;
}
