import type { Properties } from "./ports.ts";

/**
 * A message's size as IoT Hub counts it: the body, the values of system properties, names and values of the application's.
 * Source: "IoT Hub message format" in Microsoft's documentation.
 */
export function messageBytes(
  body: Buffer,
  properties: Properties,
  system: Readonly<Record<string, string | undefined>> | object,
): number {
  let bytes = body.length;
  for (const value of Object.values(system)) if (typeof value === "string") bytes += Buffer.byteLength(value);
  for (const [name, value] of Object.entries(properties)) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}
