import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";

/** What an error of the client of Event Hubs means for us. */
export type EventsFault =
  /** Another worker reads the partition now: normal when workers come and go. */
  | { readonly kind: "stolen" }
  /** The hub does not know the position: its data was removed since. */
  | { readonly kind: "position" }
  | { readonly kind: "failed"; readonly error: EdgeError };

const STOLEN = "ReceiverDisconnectedError";
const POSITION = "ArgumentOutOfRangeError";
const IDENTITY: ReadonlySet<string> = new Set([
  "UnauthorizedError",
  "MessagingEntityNotFoundError",
  "MessagingEntityDisabledError",
]);
const DEPTH_MAX = 8;

/** Errors come wrapped, an aggregate of aggregates sometimes; what counts is the one that says most. */
export function eventsFaultOf(thrown: unknown): EventsFault {
  const all = flattened(thrown, 0);
  const has = (code: string): boolean => all.some((error) => codeOf(error) === code);
  if (has(STOLEN)) return { kind: "stolen" };
  if (has(POSITION)) return { kind: "position" };
  const own = all.find((error) => error instanceof EdgeError);
  if (own !== undefined) return { kind: "failed", error: own };
  const refused = all.find((error) => IDENTITY.has(codeOf(error)));
  const told = refused ?? all.find((error) => !(error instanceof AggregateError)) ?? thrown;
  const message = messageOf(told) || codeOf(told);
  if (refused !== undefined)
    return {
      kind: "failed",
      error: new EdgeError("EVENTS_IDENTITY", `the hub's events endpoint refuses: ${message}`, {
        cause: thrown,
        hint: "Check the connection string (policy, key, EntityPath) and the consumer group.",
      }),
    };
  return {
    kind: "failed",
    error: new EdgeError("EVENTS_UNREACHABLE", `the hub's events endpoint does not answer: ${message}`, {
      cause: thrown,
      hint: "Check the endpoint of the connection string, ports 5671 and 443, and whether the hub runs.",
    }),
  };
}

function flattened(error: unknown, depth: number): unknown[] {
  if (depth > DEPTH_MAX) return [];
  const inner = error instanceof AggregateError ? error.errors : [];
  const cause = error instanceof Error && error.cause !== undefined ? [error.cause] : [];
  return [error, ...[...inner, ...cause].flatMap((each) => flattened(each, depth + 1))];
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : "";
}
