import rhea from "rhea";
import type { SystemProperties } from "../ports.ts";
import { type DecodedMessage, isDataSection } from "./rhea-parts.ts";

/** What the fields of a decoded message say in the hub's words. AMQP's typed values become text, as IoT Hub keeps them. */
export function propertiesOf(message: DecodedMessage): Record<string, string> {
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(mapOf(message.application_properties))) {
    const text = textOf(value);
    if (text !== undefined) properties[name] = text;
  }
  return properties;
}

export function systemOf(message: DecodedMessage): SystemProperties {
  const fields = {
    messageId: textOf(message.message_id),
    correlationId: textOf(message.correlation_id),
    userId: textOf(message.user_id),
    contentType: textOf(message.content_type),
    contentEncoding: textOf(message.content_encoding),
    creationTimeUtc: textOf(message.creation_time),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The bytes of its data sections; text as UTF-8; anything else as JSON. */
export function bodyOf(message: DecodedMessage): Buffer {
  const body: unknown = message.body;
  if (isDataSection(body)) {
    const parts: unknown[] = body.multiple === true && Array.isArray(body.content) ? body.content : [body.content];
    const buffers = parts.filter((part) => Buffer.isBuffer(part));
    return buffers.length === 1 && buffers[0] !== undefined ? buffers[0] : Buffer.concat(buffers);
  }
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  const value: unknown = typeof body === "object" && "content" in body ? body.content : body;
  return Buffer.from(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}

export function mapOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Buffer.isBuffer(value) ? { ...value } : {};
}

/** An instant of a timestamp field in epoch ms. */
export function instantOf(value: unknown): number | undefined {
  const ms = value instanceof Date ? value.getTime() : typeof value === "number" ? value : Number.NaN;
  return Number.isFinite(ms) ? ms : undefined;
}

export function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.toISOString();
  if (Buffer.isBuffer(value)) return value.length === 16 ? rhea.uuid_to_string(value) : value.toString("utf8");
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}
