import type { UplinkCommand } from "../../../edge/kernel/config/model.ts";
import type { JsonObject, JsonValue } from "../../contract/event.ts";
import type { UplinkStatus } from "../ports.ts";

/** How a command came: a direct method, a cloud-to-device message, or the twin's desired properties. */
export type CommandVia = "method" | "message" | "twin";

export interface CommandRequest {
  readonly name: string;
  readonly payload: JsonValue;
  readonly via: CommandVia;
  readonly messageId?: string;
}

/** Statuses are those of HTTP, as direct methods use them. */
export interface CommandAnswer {
  readonly status: 200 | 202 | 400 | 403 | 404 | 409 | 429 | 500 | 501;
  readonly payload: JsonObject;
}

/** What commands steer: the engine of the uplink. */
export interface UplinkControls {
  status(): UplinkStatus;
  /** null: no limit; undefined: the configuration's. */
  setRate(bytesPerSecondMax: number | null | undefined): void;
  /** False when too many ranges wait already. */
  resend(machineId: string, firstSeq: number, lastSeq: number): boolean;
  /** Merge patch of the reported properties. @throws EdgeError */
  report(patch: JsonObject): Promise<void>;
}

/** Takes a model into use; a box without one refuses the command. */
export interface ModelActivator {
  activate(model: {
    readonly name: string;
    readonly version: string;
    readonly url?: string;
    readonly sha256?: string;
  }): Promise<CommandAnswer>;
}

/** A command's work, its payload already validated. Throws EdgeErrors, which become answers. */
export type CommandAction = (payload: JsonObject) => CommandAnswer | Promise<CommandAnswer>;
export type CommandActions = Readonly<Record<UplinkCommand, CommandAction>>;

export function done(payload: JsonObject): CommandAnswer {
  return { status: 200, payload };
}

/** An answer that says no: the sentence, and what to do. */
export function refusal(
  status: Exclude<CommandAnswer["status"], 200 | 202>,
  message: string,
  hint: string,
  code = "COMMAND_REFUSED",
): CommandAnswer {
  return { status, payload: { code, message, hint } };
}
