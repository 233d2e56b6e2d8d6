import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { UPLINK_COMMANDS, type UplinkCommand } from "../../../edge/kernel/config/model.ts";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import type { JsonObject, JsonValue } from "../../contract/event.ts";
import { type CommandActions, type CommandAnswer, type CommandRequest, refusal } from "./command.ts";
import { checkPayload } from "./payloads.ts";
import { commandRecord } from "./record.ts";

/** Ids of messages that are known again; a hub delivers one twice within minutes, not days. */
const MESSAGE_IDS_MAX = 256;
/** Messages that wait for those before them. IoT Hub itself keeps no more than 50 for a device. */
const MESSAGES_WAITING_MAX = 100;
/** A person or a script of the office stays far below; more is a fault, and each command is a write to the disk. */
const COMMANDS_BURST = 20;
const COMMANDS_PER_SECOND = 2;
/** While commands are refused for their number, one in so long is recorded, with the count of the others. */
const REFUSED_RECORD_MS = 60_000;
const PAYLOAD_DEPTH_MAX = 32;

export interface DispatcherDeps {
  readonly allow: readonly UplinkCommand[];
  readonly actions: CommandActions;
  /** Makes a `command` event of it; resolves when it is durable. */
  readonly record: (data: JsonObject) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Everything that the cloud asks of this box comes through here: bounded in rate, known, allowed by the configuration,
 * validated, carried out, recorded. What is refused is recorded, too.
 */
export class CommandDispatcher {
  readonly #deps: DispatcherDeps;
  readonly #answers = new Map<string, Promise<CommandAnswer>>();
  readonly #underWay = new Set<Promise<CommandAnswer>>();
  #messages: Promise<unknown> = Promise.resolve();
  #messagesWaiting = 0;
  #tokens = COMMANDS_BURST;
  #filledMs: number;
  #refusedRecordedMs = Number.NEGATIVE_INFINITY;
  #refusedSince = 0;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#filledMs = deps.clock.monotonicMs();
  }

  /** Never rejects. Messages go one after the other; the same one, delivered again, gets the answer that it got. */
  dispatch(given: CommandRequest): Promise<CommandAnswer> {
    const request = { ...given, payload: writable(given.payload) };
    const { via, messageId } = request;
    if (via !== "message") return this.#handle(request);
    const known = messageId === undefined ? undefined : this.#answers.get(messageId);
    if (known !== undefined) return known;
    if (this.#messagesWaiting >= MESSAGES_WAITING_MAX) return this.#tooMany(request, this.#deps.clock.monotonicMs());
    this.#messagesWaiting++;
    const answer = this.#messages.then(() => {
      this.#messagesWaiting--;
      return this.#handle(request);
    });
    // One that fails all the same must not keep those behind it from their turn.
    this.#messages = answer.catch(() => undefined);
    if (messageId === undefined) return answer;
    this.#answers.set(messageId, answer);
    if (this.#answers.size > MESSAGE_IDS_MAX) {
      const [oldest] = this.#answers.keys();
      if (oldest !== undefined) this.#answers.delete(oldest);
    }
    return answer;
  }

  /** Resolves when what is under way now is done and recorded. */
  async idle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #handle(request: CommandRequest): Promise<CommandAnswer> {
    const handled = this.#carryOut(request).finally(() => this.#underWay.delete(handled));
    this.#underWay.add(handled);
    return handled;
  }

  async #carryOut(request: CommandRequest): Promise<CommandAnswer> {
    const { clock } = this.#deps;
    const startMs = clock.monotonicMs();
    if (!this.#admit(startMs)) return this.#tooMany(request, startMs);
    const answer = await this.#answer(request);
    await this.#record(commandRecord(request, answer, clock.monotonicMs() - startMs), request, answer);
    return answer;
  }

  async #answer({ name, payload, via }: CommandRequest): Promise<CommandAnswer> {
    if (name === "") {
      return refusal(
        400,
        "the message is no command: its body is not a map with a method",
        'write {"method": "ping", "payload": {}} as the body',
      );
    }
    const command = UPLINK_COMMANDS.find((known) => known === name);
    if (command === undefined) {
      return refusal(404, `there is no command '${name.slice(0, 100)}'`, `commands: ${UPLINK_COMMANDS.join(", ")}`);
    }
    const { allow, actions, logger } = this.#deps;
    if (!allow.includes(command)) {
      return refusal(
        403,
        `the configuration of this box does not allow '${command}'`,
        `a technician allows it by uplink.allow in tailstock.yaml; allowed now: ${allow.join(", ") || "nothing"}`,
      );
    }
    const checked = checkPayload(command, payload);
    if ("message" in checked) return refusal(400, checked.message, checked.hint);
    try {
      return await actions[command](checked.payload);
    } catch (error) {
      logger.error({ command, via, err: error }, "command failed");
      const code = error instanceof EdgeError ? error.code : "COMMAND_REFUSED";
      const hint = error instanceof EdgeError ? (error.hint ?? "") : "see the log of this box";
      return refusal(500, messageOf(error), hint, code);
    }
  }

  #admit(nowMs: number): boolean {
    const gained = ((nowMs - this.#filledMs) / 1_000) * COMMANDS_PER_SECOND;
    this.#tokens = Math.min(COMMANDS_BURST, this.#tokens + gained);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  async #tooMany(request: CommandRequest, nowMs: number): Promise<CommandAnswer> {
    const answer = refusal(
      429,
      `too many commands: this box takes ${COMMANDS_PER_SECOND} a second`,
      "ask again more slowly",
    );
    this.#refusedSince++;
    if (nowMs - this.#refusedRecordedMs < REFUSED_RECORD_MS) return answer;
    const count = this.#refusedSince;
    this.#refusedRecordedMs = nowMs;
    this.#refusedSince = 0;
    await this.#record({ ...commandRecord(request, answer, 0), commandsRefused: count }, request, answer);
    return answer;
  }

  async #record(data: JsonObject, { name, via }: CommandRequest, { status }: CommandAnswer): Promise<void> {
    const { logger, record } = this.#deps;
    logger.info({ command: name.slice(0, 100), via, status }, "command of the cloud");
    try {
      await record(data);
    } catch (error) {
      // The command is done or refused by now, and the disk refuses: the process's log is all that is left.
      logger.error({ record: data, err: error }, "a command could not be recorded");
    }
  }
}

/** What is nested by the thousand can be read as JSON, but not be written: no command takes the text in its place. */
function writable(payload: JsonValue): JsonValue {
  return isDeeper(payload, PAYLOAD_DEPTH_MAX) ? `(nested deeper than ${PAYLOAD_DEPTH_MAX} levels)` : payload;
}

function isDeeper(value: JsonValue, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner as JsonValue, levels - 1));
}
