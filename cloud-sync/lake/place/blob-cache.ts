import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { LocalFiles, LocalWish } from "./lake-files.ts";

const DOWNLOADS_AT_ONCE = 4;

interface BlobCacheOptions {
  readonly folder: string;
  readonly bytesMax: number;
  /** The lake's name: each has a folder of its own. */
  readonly lake: string;
}

/** Blobs on this machine's disk, of which those that were not read for longest make room. They never change, so that they never are stale. */
export class BlobCache {
  readonly #folder: string;
  readonly #bytesMax: number;
  readonly #inUse = new Map<string, number>();

  constructor({ folder, bytesMax, lake }: BlobCacheOptions) {
    this.#folder = join(folder, lakeKey(lake));
    this.#bytesMax = bytesMax;
  }

  /**
   * @param download to a local path; the bytes that came, undefined when there is no such blob
   * @throws EdgeError LAKE_QUERY when the files are more than the cache may hold
   */
  async fetch(
    files: readonly LocalWish[],
    download: (path: string, target: string) => Promise<number | undefined>,
  ): Promise<LocalFiles> {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes > this.#bytesMax)
      throw new EdgeError(
        "LAKE_QUERY",
        `${mb(bytes)} MB of the lake would be read, ${mb(this.#bytesMax)} are allowed here`,
        {
          hint: "Ask for fewer factories or days (--factory, --from, --to), or allow a larger cache.",
        },
      );
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const targets = files.map(({ path }) => join(this.#folder, path));
    for (const target of targets) this.#inUse.set(target, (this.#inUse.get(target) ?? 0) + 1);
    const done = (): void => {
      for (const target of targets) this.#inUse.set(target, (this.#inUse.get(target) ?? 1) - 1);
    };
    try {
      await this.#makeRoom(
        files.filter((_, i) => !existsSync(targets[i] as string)).reduce((sum, file) => sum + file.bytes, 0),
      );
      const paths = new Array<string | undefined>(files.length);
      const queue = files.keys();
      const work = async (): Promise<void> => {
        for (const i of queue) {
          const target = targets[i] as string;
          if (await this.#fetchOne((files[i] as LocalWish).path, target, download)) paths[i] = target;
        }
      };
      await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, work));
      return { paths, folder: this.#folder, done };
    } catch (error) {
      done();
      throw error;
    }
  }

  async #fetchOne(
    path: string,
    target: string,
    download: (path: string, target: string) => Promise<number | undefined>,
  ): Promise<boolean> {
    if (existsSync(target)) {
      await utimes(target, new Date(), new Date());
      return true;
    }
    await mkdir(dirname(target), { recursive: true });
    const part = `${target}.${randomUUID()}.part`;
    try {
      if ((await download(path, part)) === undefined) return false;
      await rename(part, target);
      return true;
    } finally {
      await rm(part, { force: true });
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    const kept: { path: string; bytes: number; readMs: number }[] = [];
    for (const entry of await readdir(this.#folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = await stat(path);
      kept.push({ path, bytes: size, readMs: mtimeMs });
    }
    let total = kept.reduce((sum, file) => sum + file.bytes, bytes);
    for (const file of kept.sort((a, b) => a.readMs - b.readMs)) {
      if (total <= this.#bytesMax) return;
      if ((this.#inUse.get(file.path) ?? 0) > 0) continue;
      await rm(file.path, { force: true });
      total -= file.bytes;
    }
  }
}

/** Name of a folder for what is of one lake. */
export function lakeKey(lake: string): string {
  return createHash("sha256").update(lake).digest("hex").slice(0, 16);
}

function mb(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
