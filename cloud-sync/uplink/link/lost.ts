import { EdgeError } from "../../../edge/kernel/errors.ts";
import { describeAddress, type HubAddress } from "./hub-address.ts";
import { codeOf } from "./link-error.ts";
import type { Wire } from "./wire.ts";

/** A session that the hub closes sooner counts as a sign that it does not want it. */
const SHORT_SESSION_MS = 60_000;
/** Such sessions in a row before it is said. */
const SHORT_SESSIONS_MIN = 3;

/** What a session was when it ended. */
export interface EndedSession {
  readonly address: HubAddress;
  readonly wire: Wire;
  readonly cause: unknown;
  readonly lifeMs: number;
  readonly acknowledged: number;
  readonly waiting: number;
}

/**
 * Why sessions end, over all of a connector: one loss is a bad line, the same again and again right after the opening is
 * something that a person must mend.
 */
export class LossHistory {
  #shortInARow = 0;

  /** The error of a session that has just ended. */
  explain(ended: EndedSession): EdgeError {
    const { address, wire, cause, lifeMs, acknowledged, waiting } = ended;
    const code = codeOf(wire.error) ?? codeOf(cause);
    // Of a WebSocket nobody can tell whether it was ended or cut.
    const isClosedByHub = wire.isEndedByPeer || code === "ECONNRESET" || (code === undefined && !wire.isSilent);
    this.#shortInARow = isClosedByHub && lifeMs < SHORT_SESSION_MS ? this.#shortInARow + 1 : 0;
    const after = `after ${lifeMs < 10_000 ? (lifeMs / 1000).toFixed(1) : Math.round(lifeMs / 1000)} s`;
    if (this.#shortInARow >= SHORT_SESSIONS_MIN) {
      const isSending = waiting > 0 && acknowledged === 0;
      return new EdgeError(
        "UPLINK_LOST",
        `The hub closed the connection ${this.#shortInARow} times in a row soon after it was opened, this time ${after}`,
        {
          cause,
          hint: isSending
            ? "A hub does so when too many messages come (throttled), when its messages of today are used up, or when another box uses the same identity. See the hub's metrics, and `tailstock uplink bill`."
            : `Probably another box or program uses the same identity (${describeAddress(address)}): a hub keeps the newest connection and closes the one before. Give each box a device of its own.`,
        },
      );
    }
    const hint =
      "It is opened again by itself. If it happens often: the line's quality, another client with the same identity.";
    const what = wire.isEndedByPeer
      ? `The hub closed the connection ${after}`
      : code !== undefined
        ? `The connection to the hub was cut (${code}) ${after}`
        : isClosedByHub
          ? `The connection was closed by the hub or by something on the way ${after}`
          : `The hub at ${address.host}:${address.port} does not answer any more; the connection was given up ${after}`;
    return new EdgeError("UPLINK_LOST", what, { cause, hint });
  }
}
