import { createHash } from "node:crypto";
import { type FSWatcher, watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Clock } from "../clock.ts";
import { EdgeError, messageOf } from "../errors.ts";
import { type ConfigChange, diffConfig } from "./diff.ts";
import { type LoadedConfig, parseConfigBytes, readConfigFile } from "./load.ts";
import type { ConfigProblem } from "./problem.ts";

export interface WatchOptions {
  /** A good configuration that differs from the last good one. Awaited before the file is looked at again. */
  onConfig(loaded: LoadedConfig, changes: readonly ConfigChange[]): void | Promise<void>;
  /** A bad one, once for each content of the file; the last good one stays in force. */
  onRefused(problems: readonly ConfigProblem[], sha256: string): void | Promise<void>;
  /** After a refusal the file is good again and says what is in force already. */
  onRestored?(loaded: LoadedConfig): void | Promise<void>;
  readonly clock: Clock;
  /** What is in force. Without it the first good content is taken as in force and not reported. */
  readonly initial?: LoadedConfig;
  readonly pollIntervalMs?: number;
  readonly debounceMs?: number;
}

/** Between the two halves of a careless replacement (remove, then create) the file may be missing for so long. */
const MISSING_GRACE_MS = 2_000;
/** Reads without a stable content before the content is judged as it is. */
const UNSTABLE_READS_MAX = 20;
/** Polls after which the content is compared although no timestamp moved: some file systems count whole seconds. */
const POLLS_PER_FULL_READ = 30;
const MISSING = "missing";

/**
 * Follows a configuration file until the signal aborts, whatever way it is edited: written in place, replaced by rename, or
 * swapped behind a symbolic link. Polling decides; the file system's notifications only make it faster. Files that
 * the configuration names belong to it: a new password is a change, a missing file a mistake. Rejects only when a callback
 * does.
 */
export async function watchConfig(path: string, options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { clock, pollIntervalMs = 1_000, debounceMs = 150 } = options;
  using doorbell = new Doorbell(dirname(resolve(path)));
  const judge = new Judge(path, options);
  let seenStamp = "";
  // Nothing counts as seen at first, so that an edit between loading and watching is not lost; by value it is no change.
  let seenContent = "";
  let missingSinceMs: number | undefined;
  for (let polls = 0; !signal.aborted; polls++) {
    const stamp = await stampOf([path, ...judge.files]);
    if (stamp !== seenStamp || polls % POLLS_PER_FULL_READ === 0) {
      const stable = await stableContent(path, judge.files, seenContent, clock, debounceMs, signal);
      if (signal.aborted) return;
      const isMissing = stable.content.startsWith(MISSING);
      missingSinceMs = isMissing ? (missingSinceMs ?? clock.monotonicMs()) : undefined;
      const inGrace = missingSinceMs !== undefined && clock.monotonicMs() - missingSinceMs < MISSING_GRACE_MS;
      if (!inGrace) {
        seenStamp = stable.stamp;
        if (stable.content !== seenContent) {
          const judged = await judge.judge();
          // The set of files may have changed with the configuration; what counts as seen is what was judged.
          seenContent = await contentOf(path, judge.files, judged);
        }
      }
    }
    await doorbell.wait(clock, pollIntervalMs, signal);
  }
}

/** Decides what a content of the file means. */
class Judge {
  files: readonly string[];
  readonly #path: string;
  readonly #options: WatchOptions;
  #inForce: LoadedConfig | undefined;
  #isRefused = false;

  constructor(path: string, options: WatchOptions) {
    this.#path = path;
    this.#options = options;
    this.#inForce = options.initial;
    this.files = options.initial?.files ?? [];
  }

  /** The hash of what it judged. */
  async judge(): Promise<string> {
    const { onConfig, onRefused, onRestored } = this.#options;
    let file: { bytes: Uint8Array; sha256: string };
    try {
      file = await readConfigFile(this.#path);
    } catch (error) {
      this.#isRefused = true;
      await onRefused([unreadable(this.#path, error)], "");
      return hashOf(this.#path);
    }
    const parsed = parseConfigBytes(file.bytes, this.#path);
    if ("problems" in parsed) {
      this.files = [...new Set([...(this.#inForce?.files ?? []), ...parsed.files])];
      this.#isRefused = true;
      await onRefused(parsed.problems, file.sha256);
      return file.sha256;
    }
    this.files = parsed.files;
    const loaded = { ...parsed, sha256: file.sha256, path: this.#path };
    const before = this.#inForce;
    const wasRefused = this.#isRefused;
    this.#inForce = loaded;
    this.#isRefused = false;
    const changes = before === undefined ? [] : diffConfig(before.config, loaded.config);
    if (changes.length > 0) await onConfig(loaded, changes);
    else if (wasRefused) await onRestored?.(loaded);
    return file.sha256;
  }
}

/** Rings when something happens in the folder; a folder that can't be watched never rings, and polling goes on. */
class Doorbell {
  #ringing = new AbortController();
  readonly #watcher: FSWatcher | undefined;

  constructor(folder: string) {
    try {
      this.#watcher = watch(folder, { persistent: false }, () => this.#ringing.abort());
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      this.#watcher = undefined;
    }
  }

  async wait(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
    await clock.sleep(durationMs, AbortSignal.any([signal, this.#ringing.signal]));
    if (this.#ringing.signal.aborted) this.#ringing = new AbortController();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}

/**
 * The content once two readings agree, so that a half-written file is not judged. The stamp is taken before the last
 * reading: a write after it shows as a newer stamp.
 */
async function stableContent(
  path: string,
  files: readonly string[],
  known: string,
  clock: Clock,
  debounceMs: number,
  signal: AbortSignal,
): Promise<{ content: string; stamp: string }> {
  let stamp = await stampOf([path, ...files]);
  let content = await contentOf(path, files);
  if (content === known) return { content, stamp };
  for (let reads = 1; reads < UNSTABLE_READS_MAX && !signal.aborted; reads++) {
    await clock.sleep(debounceMs, signal);
    stamp = await stampOf([path, ...files]);
    const again = await contentOf(path, files);
    if (again === content) break;
    content = again;
  }
  return { content, stamp };
}

/** Identity, size and times of the files behind the names; links are followed. */
async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    paths.map(async (path) => {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs, mode } = await stat(path, { bigint: true });
        return [dev, ino, size, mtimeNs, ctimeNs, mode].join(".");
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? "error";
      }
    }),
  );
  return stamps.join("|");
}

/** A hash of all the contents; begins with "missing" when the configuration itself is not there. */
async function contentOf(path: string, files: readonly string[], sha256?: string): Promise<string> {
  const own = sha256 ?? (await hashOf(path));
  const others = await Promise.all([...files].sort().map(async (file) => `${basename(file)}=${await hashOf(file)}`));
  return [own, ...others].join("|");
}

async function hashOf(path: string): Promise<string> {
  try {
    return createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? MISSING : (code ?? "error");
  }
}

function unreadable(path: string, error: unknown): ConfigProblem {
  const hint = error instanceof EdgeError ? (error.hint ?? "") : "check the file and its permissions";
  return { file: path, line: 1, column: 1, path: "", message: messageOf(error), hint };
}
