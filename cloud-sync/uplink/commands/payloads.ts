import { type TSchema, Type } from "typebox";
import type { UplinkCommand } from "../../../edge/kernel/config/model.ts";
import { schemaFindings } from "../../../edge/kernel/config/schema-problems.ts";
import type { JsonObject, JsonValue } from "../../contract/event.ts";

const closed = { additionalProperties: false } as const;
const sha256 = Type.String({
  pattern: "^[0-9a-fA-F]{64}$",
  description: "SHA-256 of the file, 64 hexadecimal digits.",
});
const url = Type.String({ minLength: 1, maxLength: 4_096, description: "Where the file is, https://…" });
const seq = (description: string) => Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description });
/** A week: a rate for longer belongs into the configuration. */
const RATE_SECONDS_MAX = 7 * 86_400;

/** What each command may be given. */
export const PAYLOAD_SCHEMAS: Readonly<Record<UplinkCommand, TSchema>> = {
  status: Type.Object({}, closed),
  ping: Type.Object({}, { additionalProperties: true }),
  resend: Type.Object(
    {
      machine: Type.String({ minLength: 1, maxLength: 200, description: 'The machine\'s id, "site/machine".' }),
      fromSeq: seq("First event to be sent again."),
      toSeq: seq("Last event to be sent again."),
    },
    closed,
  ),
  setRate: Type.Object(
    {
      bytesPerSecondMax: Type.Optional(
        Type.Union([Type.Integer({ minimum: 1_000, maximum: 10_000_000_000 }), Type.Null()], {
          title: "an integer from 1000 to 10000000000, or null for no limit",
          description: "Most that catching up takes; left out, the configuration's holds again.",
        }),
      ),
      forSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: RATE_SECONDS_MAX })),
    },
    closed,
  ),
  applyConfig: Type.Object({ url, sha256, force: Type.Optional(Type.Boolean()) }, closed),
  activateModel: Type.Object(
    {
      name: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description: "The model's name." }),
      version: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$", description: "The model's version." }),
      url: Type.Optional(url),
      sha256: Type.Optional(sha256),
    },
    closed,
  ),
};

/** The payload as a map, or one sentence about what is wrong with it. Nothing counts as an empty map. */
export function checkPayload(
  command: UplinkCommand,
  payload: JsonValue,
): { readonly payload: JsonObject } | { readonly message: string; readonly hint: string } {
  const given = payload === null || payload === "" ? {} : payload;
  const keys = Object.entries((PAYLOAD_SCHEMAS[command] as { properties?: Record<string, TSchema> }).properties ?? {});
  const hint =
    keys.length === 0 ? `${command} takes no payload` : `${command} takes {${keys.map(([key]) => key).join(", ")}}`;
  if (typeof given !== "object" || Array.isArray(given)) {
    return { message: `the payload of ${command} is not a map`, hint };
  }
  const [finding] = schemaFindings(PAYLOAD_SCHEMAS[command], given).findings;
  if (finding === undefined) return { payload: given as JsonObject };
  const at = finding.path.join(".");
  return {
    message: `the payload of ${command}${at === "" ? "" : `, ${at}`}: ${finding.message}`,
    hint: `${hint}; ${finding.hint}`,
  };
}
