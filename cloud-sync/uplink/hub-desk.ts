import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { UplinkConfig } from "../../edge/kernel/config/model.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import type { EventLog } from "../../edge/log/event-log.ts";
import { edgeStreamOf, type JsonObject, type JsonValue, type StoredEvent } from "../contract/event.ts";
import { commandActions } from "./commands/actions.ts";
import type { ModelActivator, UplinkControls } from "./commands/command.ts";
import { ConfigApplier } from "./commands/config-applier.ts";
import { CommandDispatcher } from "./commands/dispatcher.ts";
import { RateOverride } from "./commands/rate-override.ts";
import { conditionOf } from "./condition.ts";
import type { HubRequests } from "./ports.ts";
import { certificateFacts } from "./twin/certificates.ts";
import { DesiredWishes } from "./twin/desired.ts";
import { TwinReporter } from "./twin/reporter.ts";

const MESSAGE_CHARACTERS_MAX = 500;
const ENDING_MS_MAX = 2_000;
const COMMANDS_READ = 10_000;
const COMMAND_NOT_READY: { status: number; payload: JsonValue } = {
  status: 409,
  payload: { code: "COMMAND_REFUSED", message: "the uplink is starting", hint: "ask again in a second" },
};

export interface HubDeskDeps {
  readonly uplink: UplinkConfig;
  readonly site: string;
  /** tailstock.yaml */
  readonly configPath: string;
  /** Folder of the OPC UA certificates. */
  readonly pkiPath: string;
  /** Of Tailstock. */
  readonly version: string;
  readonly log: EventLog;
  /** How long the log has room for what comes in; null when nothing does or nobody knows. */
  readonly timeToFullMs?: () => number | null;
  /** Versions of the models in use, by name. */
  readonly models?: () => JsonObject;
  readonly activator?: ModelActivator;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The box's side of what a hub asks and is told besides events: commands, wishes of the twin, reported properties. Hand it
 * to the connector as its requests, and run it beside the engine.
 */
export class HubDesk implements HubRequests {
  readonly #deps: HubDeskDeps;
  readonly #dispatcher: CommandDispatcher;
  readonly #applier: ConfigApplier;
  readonly #rate: RateOverride;
  readonly #wishes: DesiredWishes;
  readonly #reporter: TwinReporter;
  readonly #ending = new AbortController();
  #controls: UplinkControls | undefined;

  constructor(deps: HubDeskDeps) {
    this.#deps = deps;
    const { uplink, site, configPath, log, version, activator, clock, logger } = deps;
    const edgeStream = edgeStreamOf(site);
    const controls = (): UplinkControls => this.#engine();
    this.#rate = new RateOverride({
      set: (rate) => {
        controls().setRate(rate);
        this.#reporter.changed();
      },
      log,
      edgeStream,
      clock,
    });
    this.#applier = new ConfigApplier({ configPath, uplink, log, edgeStream, clock, logger });
    this.#dispatcher = new CommandDispatcher({
      allow: uplink.allow,
      actions: commandActions({
        controls,
        log,
        rate: this.#rate,
        applier: this.#applier,
        activator,
        version,
        clock,
        ending: this.#ending.signal,
      }),
      record: async (data) => {
        await log.append([{ type: "command", machineId: edgeStream, timeMs: clock.nowMs(), data }], "now");
      },
      clock,
      logger,
    });
    this.#reporter = new TwinReporter({
      facts: () => this.#facts(),
      session: () => {
        const { state, sinceMs } = controls().status();
        return state === "connected" ? sinceMs : undefined;
      },
      report: (patch) => controls().report(patch),
      clock,
      failures: new FailureLog(logger, clock, { component: "uplink", part: "twin" }),
    });
    this.#wishes = new DesiredWishes({
      dispatch: (request) => this.#dispatcher.dispatch(request),
      configSha256: () => this.#applier.sha256(),
      wasApplied: (sha256) => wasApplied(log, edgeStream, sha256),
      clock,
      changed: () => this.#reporter.changed(),
    });
  }

  async command(request: Parameters<HubRequests["command"]>[0]): Promise<{ status: number; payload: JsonValue }> {
    if (this.#controls === undefined) return COMMAND_NOT_READY;
    const answer = await this.#dispatcher.dispatch(request);
    this.#reporter.changed();
    return answer;
  }

  desired(properties: JsonObject): void {
    if (this.#controls !== undefined) this.#wishes.set(properties);
  }

  /** Serves until the signal aborts; to be started before the engine. */
  async run(controls: UplinkControls, signal: AbortSignal): Promise<void> {
    this.#controls = controls;
    await Promise.all([this.#reporter.run(signal), this.#rate.run(signal), this.#wishes.run(signal)]);
    // A command that is under way is recorded before the log goes.
    this.#ending.abort();
    await Promise.race([this.#dispatcher.idle(), this.#deps.clock.sleep(ENDING_MS_MAX)]);
  }

  #engine(): UplinkControls {
    if (this.#controls === undefined) throw new Error("the desk of the hub is used before it runs");
    return this.#controls;
  }

  async #facts(): Promise<{ steady: JsonObject; moving: JsonObject }> {
    const { uplink, pkiPath, version, log, site, timeToFullMs, models, clock } = this.#deps;
    const status = this.#engine().status();
    const { lanes, lastError, today, bytesPerSecondMax, deadLetters } = status;
    const sha256 = await this.#applier.sha256();
    const config = log.latest(edgeStreamOf(site), "config");
    const refused =
      config?.type === "config" && config.data.kind === "refused" && config.data.sha256 === sha256
        ? (config.data.problems[0] ?? "").slice(0, MESSAGE_CHARACTERS_MAX)
        : undefined;
    return {
      steady: {
        version,
        node: process.version,
        config: { ...(sha256 === undefined ? {} : { sha256 }), ...(refused === undefined ? {} : { refused }) },
        condition: conditionOf(status, clock.nowMs()),
        commands: uplink.allow,
        bytesPerSecondMax: bytesPerSecondMax ?? "unlimited",
        certificates: await certificateFacts(pkiPath, uplink),
        models: models?.() ?? {},
        wishes: this.#wishes.results,
        deadLetters,
        lastError:
          lastError === null
            ? {}
            : {
                code: lastError.code,
                message: lastError.message.slice(0, MESSAGE_CHARACTERS_MAX),
                at: new Date(lastError.atMs).toISOString(),
              },
      },
      moving: {
        backlog: {
          priorityEvents: lanes.priority.backlogEvents,
          telemetryEvents: lanes.telemetry.backlogEvents,
          lagSeconds: Math.round(lanes.telemetry.lagMs / 1_000),
        },
        timeToDrainSeconds: secondsOf(lanes.telemetry.drainMs),
        timeToFullSeconds: secondsOf(timeToFullMs?.() ?? null),
        unitsToday: today.units,
      },
    };
  }
}

/** A technician's edit holds against a wish that was fulfilled already, also when the box is started anew. */
function wasApplied(log: EventLog, edgeStream: string, sha256: string): boolean {
  const isIt = ({ type, data }: StoredEvent): boolean => {
    if (type !== "command" || data.name !== "applyConfig" || data.via !== "twin") return false;
    const { payload, status } = data as { payload?: { sha256?: string }; status?: number };
    return payload?.sha256?.toLowerCase() === sha256 && (status === 200 || status === 202);
  };
  for (let seq = 0; ; ) {
    const commands = log.readStream(edgeStream, seq, { types: ["command"], limitEvents: COMMANDS_READ });
    if (commands.some(isIt)) return true;
    if (commands.length < COMMANDS_READ) return false;
    seq = commands.at(-1)?.seq ?? seq;
  }
}

/** A twin has no null: a merge patch removes by it. */
function secondsOf(ms: number | null): number | string {
  return ms === null ? "none" : Math.round(ms / 1_000);
}
