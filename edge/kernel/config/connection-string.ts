/** Who a device or a module is at a hub, by a symmetric key. */
export interface ConnectionString {
  /** "hub.azure-devices.net", with ":port" where one is written. */
  readonly hostName: string;
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  /** Base64, as it is written. */
  readonly sharedAccessKey: string;
  /** Where to connect in place of hostName: an IoT Edge gateway, or a local hub with its port. */
  readonly gatewayHostName: string | undefined;
}

/** Why a text is no connection string of a device; never quotes the text, which may hold a key. */
export interface ConnectionStringFault {
  readonly message: string;
  readonly hint: string;
}

const KNOWN = ["HostName", "DeviceId", "ModuleId", "SharedAccessKey", "GatewayHostName"] as const;
type Known = (typeof KNOWN)[number];
const COPY_HINT =
  "copy the device's primary connection string from the hub: HostName=…;DeviceId=…;SharedAccessKey=…, on one line";
const SERVICE_HINT =
  "this one is for the hub's own services: take the one of the device instead (in the portal: Devices, the device, Primary connection string)";
const HOST = /^(?=.{1,255}$)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:[0-9]{1,5})?$/;
// IoT Hub's grammar of device ids.
const DEVICE_ID = /^[A-Za-z0-9\-.%_#*?!(),:=@$']{1,128}$/;
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^[A-Za-z0-9+/]{2}==$|^[A-Za-z0-9+/]{3}=$/;
/** An HMAC-SHA256 key of IoT Hub has 16 to 64 bytes. */
const KEY_BYTES_MIN = 16;

/** Reads the connection string of a device or a module; order and case of the keys are as the hub writes them. */
export function parseConnectionString(text: string): ConnectionString | ConnectionStringFault {
  const fault = (message: string, hint = COPY_HINT): ConnectionStringFault => ({ message, hint });
  const trimmed = text.trim();
  if (trimmed === "") return fault("it is empty");
  if (/\r|\n/.test(trimmed)) return fault("it has more than one line");
  if (/^["']/.test(trimmed)) return fault("it is in quotes", "write the connection string alone, without quotes");
  const values = new Map<Known, string>();
  for (const part of trimmed.split(";")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    if (at < 0) return fault("it has a part without '='");
    const name = part.slice(0, at).trim();
    const known = KNOWN.find((key) => key.toLowerCase() === name.toLowerCase());
    if (name.toLowerCase() === "sharedaccesskeyname") return fault("it has a SharedAccessKeyName", SERVICE_HINT);
    if (name.toLowerCase() === "endpoint") return fault("it is one of Event Hubs", SERVICE_HINT);
    if (name.toLowerCase() === "sharedaccesssignature") {
      return fault(
        "it has a SharedAccessSignature, which expires and cannot be renewed here",
        "take the connection string with the SharedAccessKey",
      );
    }
    if (name.toLowerCase() === "x509") {
      return fault("it is for a device with a certificate", "give host, device, certificate and privateKey instead");
    }
    if (known === undefined) return fault(`it has an unknown part '${name.slice(0, 40)}'`);
    if (values.has(known)) return fault(`it has ${known} twice`);
    values.set(known, part.slice(at + 1).trim());
  }
  for (const key of ["HostName", "DeviceId", "SharedAccessKey"] as const) {
    if ((values.get(key) ?? "") === "") {
      return fault(`it has no ${key}`, key === "DeviceId" && values.has("HostName") ? SERVICE_HINT : COPY_HINT);
    }
  }
  const hostName = values.get("HostName") ?? "";
  const deviceId = values.get("DeviceId") ?? "";
  const moduleId = values.get("ModuleId");
  const sharedAccessKey = values.get("SharedAccessKey") ?? "";
  const gatewayHostName = values.get("GatewayHostName");
  if (!isHostName(hostName)) return fault("its HostName is no host name", "write the name alone, without https://");
  if (gatewayHostName !== undefined && !isHostName(gatewayHostName)) {
    return fault("its GatewayHostName is no host name", "write the name alone, with :port where it is not 8883");
  }
  if (!isDeviceId(deviceId)) return fault("its DeviceId has characters that no device id has");
  if (moduleId !== undefined && !isDeviceId(moduleId)) return fault("its ModuleId has characters that no id has");
  if (!BASE64.test(sharedAccessKey)) return fault("its SharedAccessKey is not Base64, so a part of it may be missing");
  if (Buffer.from(sharedAccessKey, "base64").length < KEY_BYTES_MIN) {
    return fault(`its SharedAccessKey has fewer than ${KEY_BYTES_MIN} bytes, so a part of it may be missing`);
  }
  return { hostName, deviceId, moduleId, sharedAccessKey, gatewayHostName };
}

/** "hub.azure-devices.net" or "localhost:18883". */
export function isHostName(text: string): boolean {
  const port = /:(\d+)$/.exec(text)?.[1];
  return HOST.test(text) && (port === undefined || (Number(port) >= 1 && Number(port) <= 65_535));
}

export function isDeviceId(text: string): boolean {
  return DEVICE_ID.test(text);
}
