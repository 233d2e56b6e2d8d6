import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Value } from "typebox/value";
import { HubError } from "../../hub-error.ts";
import { messageBytes } from "../../message-size.ts";
import type { NewHubEvent, SystemProperties } from "../../ports.ts";
import { grantOf, identityOfPath } from "../plugins/authorization.ts";
import type { RestContext } from "../rest-context.ts";
import { DeviceParams, ModuleParams } from "../schemas/identity.ts";

const MESSAGE_BYTES_MAX = 256 * 1024;
/** A message in base64, with its properties. */
const BODY_BYTES_MAX = 512 * 1024;
const BATCH_MAX = 500;
const BATCH_TYPE = "application/vnd.microsoft.iothub.json";
const PROPERTY = "iothub-app-";
const SYSTEM = new Map<string, keyof SystemProperties>(
  Object.entries({
    "iothub-messageid": "messageId",
    "iothub-correlationid": "correlationId",
    "iothub-userid": "userId",
    "iothub-contenttype": "contentType",
    "iothub-contentencoding": "contentEncoding",
    "iothub-interface-id": "interfaceId",
  }),
);

const Batch = Type.Array(
  Type.Object({
    body: Type.String(),
    base64Encoded: Type.Optional(Type.Boolean()),
    properties: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
  { minItems: 1, maxItems: BATCH_MAX },
);

type Message = Pick<NewHubEvent, "body" | "properties" | "system">;

/** Events of devices that speak HTTP: answered when they are on disk. */
export function deviceEventRoutes({ hub }: RestContext): FastifyPluginAsyncTypebox {
  const take = async (request: FastifyRequest): Promise<void> => {
    const source = identityOfPath(request);
    const { authMethod, entry } = grantOf(request);
    const messages = messagesOf(request);
    const sizes = messages.map(({ body, properties, system }) => messageBytes(body, properties, system));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (bytes > MESSAGE_BYTES_MAX)
      throw new HubError("MessageTooLarge", `${bytes} bytes, at most ${MESSAGE_BYTES_MAX}`);
    for (const size of sizes) {
      const verdict = hub.meter.admit(source, size);
      if (verdict.verdict === "delay") await hub.clock.sleep(verdict.ms);
      if (verdict.verdict !== "refused") continue;
      if (verdict.reason === "quota") throw new HubError("IotHubQuotaExceeded", "the day's messages are used up");
      throw new HubError("ThrottlingException", "it sends faster than allowed");
    }
    const { generationId: authGenerationId } = entry;
    await Promise.all(
      messages.map((message) =>
        hub.events.append({ ...message, source, messageSource: "Telemetry", authMethod, authGenerationId }),
      ),
    );
    hub.links.touched(source);
  };
  return async (app) => {
    // A body is what the device sent, whatever it calls it.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser<Buffer>("*", { parseAs: "buffer", bodyLimit: BODY_BYTES_MAX }, (_request, body, done) =>
      done(null, body),
    );
    for (const [url, params] of [
      ["/devices/:id/messages/events", DeviceParams],
      ["/devices/:id/modules/:moduleId/messages/events", ModuleParams],
    ] as const) {
      app.post(
        url,
        { schema: { params }, config: { access: "device" }, bodyLimit: BODY_BYTES_MAX },
        async (request, reply) => {
          await take(request);
          return await reply.code(204).send();
        },
      );
    }
  };
}

function messagesOf(request: FastifyRequest): Message[] {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  if (request.headers["content-type"]?.startsWith(BATCH_TYPE)) return batchOf(body);
  const properties: Record<string, string> = {};
  const system: Partial<Record<keyof SystemProperties, string>> = {};
  // As they were written: names of properties keep their capitals.
  const { rawHeaders } = request.raw;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    const lower = name.toLowerCase();
    const known = SYSTEM.get(lower);
    if (known !== undefined) system[known] = value;
    else if (lower.startsWith(PROPERTY)) properties[name.slice(PROPERTY.length)] = value;
  }
  return [{ body, properties, system }];
}

/** @throws HubError ArgumentInvalid */
function batchOf(body: Buffer): Message[] {
  let batch: unknown;
  try {
    batch = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new HubError("ArgumentInvalid", "the batch is not JSON", { cause: error });
  }
  if (!Value.Check(Batch, batch)) throw new HubError("ArgumentInvalid", `a batch is 1 to ${BATCH_MAX} messages`);
  return batch.map(({ body: text, base64Encoded = true, properties = {} }) => ({
    body: Buffer.from(text, base64Encoded ? "base64" : "utf8"),
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [name.replace(/^iothub-app-/i, ""), value]),
    ),
    system: {},
  }));
}
