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

let loading: Promise<Sdk> | undefined;

export function loadSdk(): Promise<Sdk> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Sdk> {
  const [device, mqtt, common] = await Promise.all([
    import("azure-iot-device"),
    import("azure-iot-device-mqtt"),
    import("azure-iot-common"),
  ]);
  const { Client, ModuleClient, Message } = device;
  return { Client, ModuleClient, Message, NoRetry: common.NoRetry, Mqtt: mqtt.Mqtt };
}
