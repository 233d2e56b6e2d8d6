import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { StagedFile } from "./batch-files.ts";
import type { LakeCatalog, LakeWorker } from "./lake-catalog.ts";
import { proveOwnLake, writeManifest } from "./manifest.ts";
import type { LakeFiles } from "./place/lake-files.ts";

/**
 * How files come into the lake, each row once, whenever the process is killed:
 * 1. they are written beside the lake and made safe on the disk;
 * 2. the intent is committed: the names that they will have;
 * 3. they are put into the lake, each whole or not at all;
 * 4. one transaction ends the intent, moves the checkpoints, and makes the files known;
 * 5. the manifest is written anew.
 * Who starts again removes the files of intents that did not end, and begins from the checkpoints. So nothing depends on the feed giving the
 * same documents once more, which it need not: a document that was written again in between comes later.
 */
export class LakeCommit {
  readonly #catalog: LakeCatalog;
  readonly #files: LakeFiles;
  readonly #worker: LakeWorker;

  constructor(catalog: LakeCatalog, files: LakeFiles, worker: LakeWorker) {
    this.#catalog = catalog;
    this.#files = files;
    this.#worker = worker;
  }

  /** Ends what a process that was killed had begun. Only with the worker's lock. @returns how many batches that were */
  async recover(signal: AbortSignal): Promise<number> {
    await proveOwnLake(this.#catalog, this.#files, signal);
    const unfinished = await this.#catalog.unfinished(this.#worker);
    for (const { id, paths } of unfinished) {
      await this.#files.remove(paths, signal);
      await this.#catalog.giveUp(id);
    }
    await rm(await this.#ownFolder(), { recursive: true, force: true });
    await writeManifest(this.#catalog, this.#files, signal);
    return unfinished.length;
  }

  /** An empty folder for a batch's files. */
  async stage(): Promise<{ readonly id: string; readonly folder: string }> {
    const id = `${this.#worker[0]}${Date.now().toString(36)}-${randomUUID().slice(0, 8)}`;
    const folder = join(await this.#ownFolder(), id);
    await mkdir(folder, { recursive: true });
    return { id, folder };
  }

  /** @param end ends the intent in its transaction */
  async publish(
    { id, folder }: { readonly id: string; readonly folder: string },
    files: readonly StagedFile[],
    end: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const paths = files.map(({ path }) => path);
    await this.#catalog.begin(id, this.#worker, paths);
    let isEnding = false;
    try {
      for (const { localPath, path } of files) await this.#files.put(localPath, path, signal);
      isEnding = true;
      await end();
    } catch (error) {
      // Another process that has given the intent up may have looked before the files were there, so whoever surely committed nothing takes
      // them away himself. When the database was lost over the commit, the intent alone knows.
      const isOvertaken = error instanceof EdgeError && error.code === "LAKE_UNAVAILABLE";
      if (!isEnding || isOvertaken)
        await this.#files.remove(paths, new AbortController().signal).catch(() => undefined);
      throw error;
    }
    await rm(folder, { recursive: true, force: true });
    await writeManifest(this.#catalog, this.#files, signal);
  }

  /** Takes files away that others have replaced for so long; readers who have them open keep them open. */
  async removeReplaced(graceMs: number, signal: AbortSignal): Promise<number> {
    const paths = await this.#catalog.replaced(graceMs);
    if (paths.length === 0) return 0;
    await this.#files.remove(paths, signal);
    await this.#catalog.forgetReplaced(paths);
    return paths.length;
  }

  async #ownFolder(): Promise<string> {
    return join(await this.#files.stagingFolder(), this.#worker);
  }
}
