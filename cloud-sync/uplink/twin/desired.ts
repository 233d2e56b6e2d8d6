import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { JsonObject, JsonValue } from "../../contract/event.ts";
import type { CommandAnswer, CommandRequest } from "../commands/command.ts";
import { withoutQuery } from "../commands/record.ts";
import { isObject } from "./merge-patch.ts";

/** Models that are listened to; a box runs a handful. */
const MODELS_MAX = 20;
const MESSAGE_CHARACTERS_MAX = 500;
const NAME_CHARACTERS_MAX = 64;
/** A wish that failed for a reason that may pass, such as a file server that does not answer, is tried again. */
const RETRY_MS = 10 * 60_000;
const PASSING: ReadonlySet<number> = new Set([429, 500]);

export interface DesiredDeps {
  /** Carries a wish out as a command, with all that guards commands. */
  readonly dispatch: (request: CommandRequest) => Promise<CommandAnswer>;
  /** Of the configuration file as it is now. */
  readonly configSha256: () => Promise<string | undefined>;
  /** Whether this configuration was put in place by the twin before, in the life of the log. */
  readonly wasApplied: (sha256: string) => boolean;
  readonly clock: Clock;
  /** A result has come. */
  readonly changed: () => void;
}

interface Wish {
  readonly key: string;
  readonly name: string;
  readonly payload: JsonValue;
}

/**
 * Wishes of the twin, `{tailstock: {config: {url, sha256}, models: [{name, version, …}], rate}}`: each is carried out once,
 * as a command by way of the twin, and its result is reported. The twin names a configuration by address and hash, for the
 * configuration of a large shop is larger than a twin.
 */
export class DesiredWishes {
  readonly #deps: DesiredDeps;
  readonly #done = new Map<string, JsonValue>();
  readonly #results = new Map<string, JsonObject>();
  #whole: JsonObject = {};
  #desired: JsonObject = {};
  #work: Promise<void> | undefined;
  #isAgain = false;

  constructor(deps: DesiredDeps) {
    this.#deps = deps;
  }

  /** What became of each wish, by "config", "rate" and "model-NAME". */
  get results(): JsonObject {
    return Object.fromEntries(this.#results);
  }

  /** The whole desired properties. Never rejects; a newer one while one is worked on is worked on after it. */
  set(properties: JsonObject): void {
    this.#whole = properties;
    this.#desired = isObject(properties.tailstock) ? properties.tailstock : {};
    this.#isAgain = true;
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
    });
  }

  /** Tries again, now and then, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(RETRY_MS, signal);
      if (!signal.aborted) this.set(this.#whole);
    }
  }

  async #run(): Promise<void> {
    while (this.#isAgain) {
      this.#isAgain = false;
      const wishes = wishesOf(this.#desired);
      for (const key of this.#results.keys()) {
        if (wishes.some((wish) => wish.key === key)) continue;
        this.#results.delete(key);
        if (key === "rate") await this.#carryOut({ key, name: "setRate", payload: {} }, false);
        this.#done.delete(key);
        this.#deps.changed();
      }
      for (const wish of wishes) {
        if (isDeepStrictEqual(this.#done.get(wish.key), wish.payload)) continue;
        this.#done.set(wish.key, wish.payload);
        if (await this.#isSettled(wish)) continue;
        await this.#carryOut(wish, true);
      }
    }
  }

  async #isSettled({ key, name, payload }: Wish): Promise<boolean> {
    if (name !== "applyConfig" || !isObject(payload)) return false;
    const wanted = typeof payload.sha256 === "string" ? payload.sha256.toLowerCase() : undefined;
    if (wanted === undefined) return false;
    const isInPlace = (await this.#deps.configSha256()) === wanted;
    if (!isInPlace && !this.#deps.wasApplied(wanted)) return false;
    this.#results.set(
      key,
      isInPlace
        ? { sha256: wanted, status: 200, message: "in place" }
        : {
            sha256: wanted,
            status: 409,
            message: "it was in place before; somebody has changed the file here since then",
          },
    );
    this.#deps.changed();
    return true;
  }

  async #carryOut({ key, name, payload }: Wish, isKept: boolean): Promise<void> {
    const answer = await this.#deps.dispatch({ name, payload, via: "twin" });
    if (!isKept) return;
    if (PASSING.has(answer.status)) this.#done.delete(key);
    const { message } = answer.payload;
    this.#results.set(key, {
      ...factsOf(payload),
      status: answer.status,
      message: typeof message === "string" ? message.slice(0, MESSAGE_CHARACTERS_MAX) : "done",
    });
    this.#deps.changed();
  }
}

function wishesOf({ config, models, rate }: JsonObject): Wish[] {
  const wishes: Wish[] = [];
  if (config !== undefined) wishes.push({ key: "config", name: "applyConfig", payload: config });
  if (rate !== undefined) {
    wishes.push({ key: "rate", name: "setRate", payload: isObject(rate) ? rate : { bytesPerSecondMax: rate } });
  }
  const byKey = new Map<string, Wish>();
  for (const model of Array.isArray(models) ? models.slice(0, MODELS_MAX) : []) {
    // Of two wishes for one model the last holds: each would undo the other, for ever.
    const key = modelKey(isObject(model) && typeof model.name === "string" ? model.name : "");
    byKey.set(key, { key, name: "activateModel", payload: model });
  }
  return [...wishes, ...byKey.values()];
}

/** Keys of a twin have neither dots nor blanks nor dollars: with one of them a hub refuses the whole report. */
function modelKey(name: string): string {
  return `model-${name.slice(0, NAME_CHARACTERS_MAX).replaceAll(/[^A-Za-z0-9_-]/g, "_")}`;
}

/** What the result is about, without what may be secret. */
function factsOf(payload: JsonValue): JsonObject {
  if (!isObject(payload)) return {};
  const { name, sha256, version, url, bytesPerSecondMax } = payload;
  return {
    ...(typeof name === "string" ? { name: name.slice(0, NAME_CHARACTERS_MAX) } : {}),
    ...(typeof sha256 === "string" ? { sha256: sha256.slice(0, 64) } : {}),
    ...(typeof version === "string" ? { version: version.slice(0, 64) } : {}),
    ...(typeof url === "string" ? { url: withoutQuery(url).slice(0, 300) } : {}),
    ...(typeof bytesPerSecondMax === "number" ? { bytesPerSecondMax } : {}),
  };
}
