import { createHash } from "node:crypto";
import type { JsonObject, JsonValue } from "../../contract/event.ts";
import type { CommandAnswer, CommandRequest } from "./command.ts";

/** Larger payloads are recorded by their hash. */
const PAYLOAD_BYTES_MAX = 1_024;
const NAME_CHARACTERS_MAX = 100;
const MESSAGE_CHARACTERS_MAX = 1_000;

/** What the log keeps of a command: who asked by what, for what, and what came of it. */
export function commandRecord(
  { name, payload, via, messageId }: CommandRequest,
  { status, payload: answer }: CommandAnswer,
  durationMs: number,
): JsonObject {
  const text = JSON.stringify(payload);
  const bytes = Buffer.byteLength(text);
  const message = typeof answer.message === "string" ? answer.message.slice(0, MESSAGE_CHARACTERS_MAX) : undefined;
  return {
    name: name.slice(0, NAME_CHARACTERS_MAX),
    via,
    ...(messageId === undefined ? {} : { messageId: messageId.slice(0, NAME_CHARACTERS_MAX) }),
    ...(bytes <= PAYLOAD_BYTES_MAX
      ? { payload: withoutQueries(payload) }
      : { payloadBytes: bytes, payloadSha256: createHash("sha256").update(text).digest("hex") }),
    outcome: OUTCOME_BY_STATUS[status],
    status,
    ...(message === undefined ? {} : { message }),
    durationMs: Math.round(durationMs),
  };
}

const OUTCOME_BY_STATUS = {
  200: "done",
  202: "accepted",
  400: "refused",
  403: "refused",
  404: "refused",
  409: "refused",
  429: "refused",
  500: "failed",
  501: "refused",
} as const satisfies Record<CommandAnswer["status"], string>;

/** The query of an address is where file stores put their signatures: it lets in whoever reads it. */
function withoutQueries(value: JsonValue): JsonValue {
  if (typeof value === "string") return /^https?:\/\//i.test(value) ? withoutQuery(value) : value;
  if (Array.isArray(value)) return value.map(withoutQueries);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutQueries(inner as JsonValue)]));
}

/** For people and logs. */
export function withoutQuery(url: string): string {
  const bare = url.replace(/\/\/[^/@]*@/, "//…@");
  const at = bare.search(/[?#]/);
  return at < 0 ? bare : `${bare.slice(0, at)}?…`;
}
