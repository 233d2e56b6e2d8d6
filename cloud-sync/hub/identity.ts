import { HubError } from "./hub-error.ts";
import type { Identity } from "./ports.ts";

/** IoT Hub's: ASCII letters and digits and these. */
const ID = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$/;

/** One text for an identity, for maps: no id has a "/" in it. */
export function keyOf({ deviceId, moduleId }: Identity): string {
  return moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`;
}

export function isId(id: string): boolean {
  return ID.test(id);
}

/** @throws HubError ArgumentInvalid */
export function checkIdentity({ deviceId, moduleId }: Identity): void {
  if (!isId(deviceId)) throw new HubError("ArgumentInvalid", `"${deviceId}" is not a device id`);
  if (moduleId !== undefined && !isId(moduleId)) {
    throw new HubError("ArgumentInvalid", `"${moduleId}" is not a module id`);
  }
}

/** The refusal when an identity is not there. */
export function notFound({ deviceId, moduleId }: Identity): HubError {
  return moduleId === undefined
    ? new HubError("DeviceNotFound", `device ${deviceId} is not registered`)
    : new HubError("ModuleNotFound", `module ${moduleId} of device ${deviceId} is not registered`);
}
