import { type DestinationStream, type Logger, pino, stdSerializers } from "pino";
import { build as prettyStream } from "pino-pretty";
import { EdgeError, messageOf } from "./errors.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LoggerOptions {
  readonly level: LogLevel;
  /** For a person at a terminal; otherwise a JSON object a line. */
  readonly pretty: boolean;
  /** Standard output when not given. */
  readonly destination?: NodeJS.WritableStream & DestinationStream;
}

const SECRET_KEYS = [
  "password",
  "passphrase",
  "secret",
  "key",
  "privateKey",
  "apiKey",
  "sharedAccessKey",
  "connectionString",
  "token",
  "authorization",
  "cookie",
];
/** Levels of nesting at which secrets are looked for; facts of a log line are flat, a config in it is this deep. */
const REDACT_DEPTH = 6;

/** Secrets by key, at every depth that a log line's facts may have. */
const REDACT_PATHS = Array.from({ length: REDACT_DEPTH }, (_, depth) =>
  SECRET_KEYS.map((key) => `${"*.".repeat(depth)}${key}`),
).flat();

/**
 * The logger of a process. Messages are fixed sentences, facts are fields; values under keys that name secrets are
 * replaced by "[redacted]". Writes synchronously, so that the last line before an exit is not lost.
 */
export function createLogger({ level, pretty, destination }: LoggerOptions): Logger {
  const stream = pretty
    ? prettyStream({
        sync: true,
        colorize: isTerminal(destination ?? process.stdout),
        ignore: "pid,hostname",
        translateTime: "SYS:HH:MM:ss.l",
        destination: destination ?? 1,
      })
    : (destination ?? pino.destination({ dest: 1, sync: true }));
  return pino(
    {
      level,
      redact: { paths: REDACT_PATHS, censor: "[redacted]" },
      serializers: { err: serializeError },
    },
    stream,
  );
}

function isTerminal(stream: object): boolean {
  return "isTTY" in stream && stream.isTTY === true;
}

/** An EdgeError is told by its code and facts; only an unknown error needs its stack. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof EdgeError)) return error instanceof Error ? stdSerializers.err(error) : error;
  const { name: type, code, message, retry, hint, cause } = error;
  return {
    type,
    code,
    message,
    retry,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause: messageOf(cause) }),
  };
}
