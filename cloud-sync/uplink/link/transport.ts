import type { AuthenticationProvider, TransportConfig } from "azure-iot-common";
import type { DeviceClientOptions } from "azure-iot-device";
import type { Sdk } from "./sdk.ts";
import type { Wire } from "./wire.ts";

/** A method call as the SDK's transport hears it. */
export interface MethodMessage {
  readonly methods: { readonly methodName: string };
  readonly requestId: string;
  readonly body: Buffer;
}

export interface TransportHooks {
  readonly wire: Wire;
  readonly isWebSocket: boolean;
  /** Every method call, whatever its name: by itself the SDK leaves those without an answer that nobody registered for. */
  method(message: MethodMessage, transport: LinkTransport): void;
  /** Called once, with the transport that the client works with. */
  made(transport: LinkTransport): void;
}

export type LinkTransport = InstanceType<Sdk["Mqtt"]> & {
  /** Stops the renewal of the token, which would otherwise go on after a link was given up. */
  stopRenewal(): void;
};
export type LinkTransportClass = new (provider: AuthenticationProvider) => LinkTransport;

interface Publisher {
  publish(topic: string, payload: unknown, options: object, done?: (error?: Error, result?: unknown) => void): void;
}

/**
 * What is published comes back with its acknowledgement, body and all, and the SDK writes it as JSON for a debug log that is
 * off: as a list of numbers, which takes 3.5 ms and several MB for 200 KB.
 */
function forgetPackets(transport: object): void {
  const { _mqtt: base } = transport as { _mqtt: Publisher };
  const publish = base.publish.bind(base);
  base.publish = (topic, payload, options, done) => publish(topic, payload, options, (error) => done?.(error, {}));
}

/** The SDK's own MQTT transport with eyes: it shows its sockets, hears every method, and takes a port for WebSockets. */
export function transportClass({ Mqtt }: Sdk, hooks: TransportHooks): LinkTransportClass {
  return class WatchedMqtt extends Mqtt {
    #options: DeviceClientOptions = {};

    constructor(provider: AuthenticationProvider) {
      super(provider);
      forgetPackets(this);
      hooks.wire.watch(this);
      hooks.made(this);
    }

    /** Added to those before; the SDK's would replace them, and so forget the authorities that the IoT Edge runtime gave. */
    override setOptions(options: DeviceClientOptions, done?: (error?: Error, result?: unknown) => void): void {
      this.#options = { ...this.#options, ...options };
      super.setOptions(this.#options, done);
    }

    override emit(name: string | symbol, ...args: unknown[]): boolean {
      if (typeof name === "string" && name.startsWith("method_")) {
        hooks.method(args[0] as MethodMessage, this);
        return true;
      }
      return super.emit(name, ...args);
    }

    stopRenewal(): void {
      const provider = this._authenticationProvider as AuthenticationProvider & { stop?: () => void };
      provider.stop?.();
    }

    protected override _getBaseTransportConfig(credentials: TransportConfig) {
      const config = super._getBaseTransportConfig(credentials);
      if (!hooks.isWebSocket) return config;
      const host = credentials.gatewayHostName ?? credentials.host ?? "";
      return { ...config, uri: `wss://${/:\d+$/.test(host) ? host : `${host}:443`}/$iothub/websocket` };
    }
  };
}
