import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { LAKE_KINDS } from "../columns.ts";
import { type LakeFiles, type LocalFiles, type LocalWish, PARQUET } from "./lake-files.ts";

/** Begins with "_", as readers of such folders pass over it. */
const STAGING = "_staging";

/** A lake in a folder: files are renamed into it. */
export class FolderFiles implements LakeFiles {
  readonly name: string;

  constructor(folder: string) {
    this.name = resolve(folder);
  }

  stagingFolder(): Promise<string> {
    return this.#guarded(async () => {
      const folder = join(this.name, STAGING);
      await mkdir(folder, { recursive: true });
      return folder;
    });
  }

  put(localPath: string, path: string, signal: AbortSignal): Promise<void> {
    return this.#guarded(async () => {
      signal.throwIfAborted();
      const target = join(this.name, path);
      const made = await mkdir(dirname(target), { recursive: true });
      if (!existsSync(localPath) && existsSync(target)) return;
      await rename(localPath, target);
      await syncFolders(dirname(target), made === undefined ? dirname(target) : dirname(made));
    });
  }

  remove(paths: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#guarded(async () => {
      for (const path of paths) {
        signal.throwIfAborted();
        await rm(join(this.name, path), { force: true });
      }
    });
  }

  list(signal: AbortSignal): Promise<string[]> {
    return this.#guarded(async () => {
      const found: string[] = [];
      for (const kind of LAKE_KINDS) {
        const folder = join(this.name, kind);
        if (!existsSync(folder)) continue;
        for (const entry of await readdir(folder, { recursive: true })) {
          if (entry.endsWith(PARQUET)) found.push(`${kind}/${entry.split(sep).join("/")}`);
        }
        signal.throwIfAborted();
      }
      return found.sort();
    });
  }

  readText(path: string): Promise<string | undefined> {
    return this.#guarded(async () => {
      const file = join(this.name, path);
      return existsSync(file) ? await readFile(file, "utf8") : undefined;
    });
  }

  writeText(path: string, text: string, signal: AbortSignal): Promise<void> {
    return this.#guarded(async () => {
      const local = join(await this.stagingFolder(), path.replaceAll("/", "~"));
      await using file = await open(local, "w");
      await file.writeFile(text);
      await file.sync();
      await this.put(local, path, signal);
    });
  }

  async local(files: readonly LocalWish[]): Promise<LocalFiles> {
    const paths = files.map(({ path }) => {
      const file = join(this.name, path);
      // The manifest is a file that others can write: what it names lies in the lake.
      return relative(this.name, file).startsWith("..") || !existsSync(file) ? undefined : file;
    });
    return { paths, folder: this.name, done: () => undefined };
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof EdgeError || (error as NodeJS.ErrnoException).code === undefined) throw error;
      throw new EdgeError("LAKE_UNAVAILABLE", `the lake ${this.name}: ${messageOf(error)}`, {
        cause: error,
        hint: "Check the folder: that there is room, and who may write to it.",
      });
    }
  }
}

/** A rename is safe on the disk when its folder is, and a new folder when the one above it is. */
async function syncFolders(from: string, to: string): Promise<void> {
  for (let folder = from; ; folder = dirname(folder)) {
    const handle = await open(folder, "r");
    // Some file systems know no sync of folders: there nothing more can be done.
    await handle.sync().catch(() => undefined);
    await handle.close();
    if (folder === to || folder === dirname(folder)) return;
  }
}
