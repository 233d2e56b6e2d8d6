import { createRequire } from "node:module";

/**
 * The SDK, loaded when the first connection is made: a box without a line to a cloud should not pay for its memory.
 * @see https://github.com/Azure/azure-iot-sdk-node
 */
export interface Sdk {
  readonly Client: typeof import("azure-iot-device").Client;
  readonly ModuleClient: typeof import("azure-iot-device").ModuleClient;
  readonly Message: typeof import("azure-iot-device").Message;
  readonly NoRetry: typeof import("azure-iot-common").NoRetry;
  readonly Mqtt: typeof import("azure-iot-device-mqtt").Mqtt;
}

let loaded: Sdk | undefined;

export function loadSdk(): Sdk {
  loaded ??= load();
  return loaded;
}

/** By require: Node finds only some of these CommonJS modules' names when they are imported. */
function load(): Sdk {
  const require = createRequire(import.meta.url);
  const device = require("azure-iot-device") as typeof import("azure-iot-device");
  const common = require("azure-iot-common") as typeof import("azure-iot-common");
  const { Mqtt } = require("azure-iot-device-mqtt") as typeof import("azure-iot-device-mqtt");
  const { Client, ModuleClient, Message } = device;
  return { Client, ModuleClient, Message, NoRetry: common.NoRetry, Mqtt };
}
