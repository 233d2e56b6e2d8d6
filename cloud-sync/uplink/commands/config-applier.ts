import { open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { CONFIG_BYTES_MAX } from "../../../edge/kernel/config/defaults.ts";
import { diffConfig } from "../../../edge/kernel/config/diff.ts";
import { parseConfigBytes, readConfigFile } from "../../../edge/kernel/config/load.ts";
import type { Config, UplinkConfig } from "../../../edge/kernel/config/model.ts";
import { formatProblem } from "../../../edge/kernel/config/problem.ts";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import type { LogReader } from "../../../edge/log/event-log.ts";
import { type CommandAnswer, done, refusal } from "./command.ts";
import { download } from "./download.ts";

const DOWNLOAD_MS_MAX = 60_000;
/** For the collector to apply or refuse it. A hub waits half a minute for a method's answer unless told otherwise. */
const APPLIED_MS_MAX = 20_000;
/** When this uplink ends, perhaps because of the very configuration: so long is still waited for the collector's word. */
const ENDING_MS_MAX = 1_000;
const PROBLEMS_TOLD_MAX = 5;
const EVENTS_READ = 100;

export interface ConfigReference {
  readonly url: string;
  readonly sha256: string;
  /** Also when it takes this box's line to the hub away, or leads it elsewhere. */
  readonly force?: boolean;
}

export interface ConfigApplierDeps {
  /** tailstock.yaml */
  readonly configPath: string;
  /** The uplink in force, which a configuration from afar may not cut by mistake. */
  readonly uplink: UplinkConfig;
  readonly log: Pick<LogReader, "head" | "readAfter" | "waitPast">;
  readonly edgeStream: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly appliedMsMax?: number;
}

/**
 * A configuration from the cloud, by reference and hash: fetched, checked as if a technician had written it here, put in
 * place of the file in one step, the one before kept as tailstock.yaml.previous. The collector's watch applies it; the
 * answer is what came of that. A file with a mistake replaces nothing.
 */
export class ConfigApplier {
  readonly #deps: ConfigApplierDeps;
  #isBusy = false;

  constructor(deps: ConfigApplierDeps) {
    this.#deps = deps;
  }

  /** @throws EdgeError of the download or the disk */
  async apply(reference: ConfigReference, signal: AbortSignal = new AbortController().signal): Promise<CommandAnswer> {
    if (this.#isBusy) return refusal(409, "another configuration is being applied", "ask again in a minute");
    this.#isBusy = true;
    try {
      return await this.#apply(reference, signal);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Of the file as it is now; undefined when it can't be read. */
  async sha256(): Promise<string | undefined> {
    return (await this.#current())?.sha256;
  }

  async #apply({ url, sha256, force = false }: ConfigReference, signal: AbortSignal): Promise<CommandAnswer> {
    const { configPath, uplink, log, logger } = this.#deps;
    const current = await this.#current();
    const wanted = sha256.toLowerCase();
    if (current?.sha256 === wanted)
      return done({ sha256: wanted, changes: [], message: "this configuration is in place already" });
    const ca = uplink.caPath === undefined ? undefined : await readFile(uplink.caPath, "utf8").catch(() => undefined);
    const bytes = await this.#fetched(
      { url, sha256: wanted, bytesMax: CONFIG_BYTES_MAX, msMax: DOWNLOAD_MS_MAX, ca },
      signal,
    );
    if ("status" in bytes) return bytes;
    const parsed = parseConfigBytes(bytes.bytes, configPath);
    if ("problems" in parsed) {
      const told = parsed.problems.slice(0, PROBLEMS_TOLD_MAX).map(formatProblem);
      const more = parsed.problems.length - told.length;
      return refusal(
        400,
        `the configuration has mistakes: ${told.join("; ")}${more > 0 ? `; and ${more} more` : ""}`,
        "check it with `tailstock config check` before it is sent; the one before stays in force",
        "CONFIG_INVALID",
      );
    }
    if (!force) {
      const cut = cutOff(uplink, parsed.config);
      if (cut !== undefined) {
        return refusal(
          409,
          `the configuration ${cut}, so that this box might be out of reach for ever`,
          'send it with "force": true if that is meant',
        );
      }
    }
    const before = current === undefined ? undefined : parseConfigBytes(current.bytes, configPath);
    const changes = before === undefined || "problems" in before ? undefined : diffConfig(before.config, parsed.config);
    const offset = log.head();
    await replaceFile(configPath, bytes.bytes);
    logger.info({ path: configPath, sha256: wanted }, "configuration of the cloud put in place");
    const sentences = changes?.map(({ sentence }) => sentence) ?? [];
    if (changes?.length === 0) {
      return done({ sha256: wanted, changes: [], message: "it says what was in force already" });
    }
    return this.#outcome(wanted, offset, sentences, signal);
  }

  async #fetched(
    wanted: Parameters<typeof download>[0],
    signal: AbortSignal,
  ): Promise<{ bytes: Buffer } | CommandAnswer> {
    try {
      return { bytes: await download(wanted, signal) };
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== "COMMAND_REFUSED") throw error;
      return refusal(400, error.message, error.hint ?? "");
    }
  }

  /** What the collector makes of the file, by its `config` event. */
  async #outcome(
    sha256: string,
    fromOffset: number,
    changes: readonly string[],
    signal: AbortSignal,
  ): Promise<CommandAnswer> {
    const { log, edgeStream, clock, appliedMsMax = APPLIED_MS_MAX } = this.#deps;
    const ended = new AbortController();
    signal.addEventListener("abort", () => void clock.sleep(ENDING_MS_MAX).then(() => ended.abort()), { once: true });
    const within = AbortSignal.any([ended.signal, AbortSignal.timeout(appliedMsMax)]);
    let offset = fromOffset;
    while (!within.aborted) {
      const head = log.head();
      const events = log.readAfter(offset, { limitEvents: EVENTS_READ, types: ["config"] });
      for (const event of events) {
        offset = event.offset;
        if (event.type !== "config" || event.machineId !== edgeStream) continue;
        const { data } = event;
        if ((data.kind !== "applied" && data.kind !== "refused") || data.sha256 !== sha256) continue;
        if (data.kind === "applied") return done({ sha256, changes: data.changes });
        await this.#restore();
        return refusal(
          400,
          `the collector refused the configuration: ${data.problems.slice(0, PROBLEMS_TOLD_MAX).join("; ")}`,
          "the one before is back in its place",
          "CONFIG_INVALID",
        );
      }
      if (events.length < EVENTS_READ) {
        // Up to the head of before the reading; what was appended meanwhile may be the very event.
        offset = Math.max(offset, head);
        await log.waitPast(offset, within);
      }
    }
    return {
      status: 202,
      payload: {
        sha256,
        changes,
        message: signal.aborted
          ? "the configuration is in place; the uplink ended before the collector said that it applies"
          : `the configuration is in place, but nobody has said within ${Math.round(appliedMsMax / 1_000)} s that it applies`,
        hint: "does the collector run? `status` and the twin's reported properties say which configuration is in force",
      },
    };
  }

  async #restore(): Promise<void> {
    const { configPath, logger } = this.#deps;
    try {
      await replaceFile(configPath, await readFile(`${await realpath(configPath)}.previous`), { keepPrevious: false });
    } catch (error) {
      logger.error({ err: error, path: configPath }, "the configuration before could not be put back");
    }
  }

  async #current(): Promise<{ bytes: Uint8Array; sha256: string } | undefined> {
    try {
      return await readConfigFile(this.#deps.configPath);
    } catch {
      return undefined;
    }
  }
}

/** How a configuration would take the box's line away; undefined when it does not. */
function cutOff(uplink: UplinkConfig, { uplink: next }: Config): string | undefined {
  if (next === undefined) return "has no uplink";
  for (const [key, name] of [
    ["identity", "identity"],
    ["caPath", "ca"],
    ["transport", "transport"],
  ] as const) {
    if (!isDeepStrictEqual(uplink[key], next[key])) return `changes ${name} of the uplink`;
  }
  return next.allow.includes("applyConfig") ? undefined : "no longer allows applyConfig";
}

/**
 * The file beside a link's target, written whole and renamed over it, so that whoever reads sees the old or the new.
 * @throws EdgeError COMMAND_REFUSED when the folder can't be written
 */
async function replaceFile(path: string, bytes: Uint8Array, { keepPrevious = true } = {}): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const incoming = `${target}.incoming`;
  try {
    const mode = (await stat(target).catch(() => undefined))?.mode ?? 0o644;
    const before = keepPrevious ? await readFile(target).catch(() => undefined) : undefined;
    if (before !== undefined) {
      await writeDurably(incoming, before, mode);
      await rename(incoming, `${target}.previous`);
    }
    await writeDurably(incoming, bytes, mode);
    await rename(incoming, target);
  } catch (error) {
    await rm(incoming, { force: true }).catch(() => undefined);
    throw new EdgeError("COMMAND_REFUSED", `the configuration '${target}' can't be replaced: ${messageOf(error)}`, {
      cause: error,
      hint: "the folder of the configuration must be writable for this program; a file that is mounted alone into a container can't be replaced, mount its folder",
    });
  }
}

async function writeDurably(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, "w", mode & 0o777);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
