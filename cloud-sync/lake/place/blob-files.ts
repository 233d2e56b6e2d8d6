import { mkdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerClient } from "@azure/storage-blob";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { LAKE_KINDS } from "../columns.ts";
import { BlobCache, lakeKey } from "./blob-cache.ts";
import { type LakeFiles, type LocalFiles, type LocalWish, PARQUET } from "./lake-files.ts";

const CACHE_BYTES_MAX = 8 * 2 ** 30;
const UPLOAD_BLOCK_BYTES = 8 * 2 ** 20;
const UPLOADS_AT_ONCE = 4;
const REMOVES_AT_ONCE = 8;

export interface BlobFilesOptions {
  /** Connection string. */
  readonly blob: string;
  readonly container: string;
  readonly prefix: string;
  readonly cacheFolder?: string;
  readonly cacheBytesMax?: number;
}

/** A lake in an Azure storage account: a blob is there when its upload is complete, not before. */
export class BlobFiles implements LakeFiles {
  readonly name: string;
  readonly #options: BlobFilesOptions;
  readonly #prefix: string;
  readonly #folder: string;
  readonly #cache: BlobCache;
  #container: ContainerClient | undefined;
  #isMade = false;

  /** @throws EdgeError LAKE_UNAVAILABLE when the connection string is none */
  constructor(options: BlobFilesOptions) {
    const { container, prefix, cacheFolder, cacheBytesMax = CACHE_BYTES_MAX } = options;
    this.#options = options;
    this.#prefix = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
    this.name = `${accountOf(options.blob)}/${container}/${this.#prefix}`;
    this.#folder = cacheFolder ?? join(tmpdir(), `tailstock-lake-${process.getuid?.() ?? 0}`);
    this.#cache = new BlobCache({ folder: join(this.#folder, "cache"), bytesMax: cacheBytesMax, lake: this.name });
  }

  /** The SDK takes a third of a second to load: only who has a lake there waits for it. */
  async #client(): Promise<ContainerClient> {
    if (this.#container !== undefined) return this.#container;
    const { blob, container } = this.#options;
    const { BlobServiceClient } = await import("@azure/storage-blob");
    this.#container = BlobServiceClient.fromConnectionString(blob).getContainerClient(container);
    return this.#container;
  }

  async stagingFolder(): Promise<string> {
    const folder = join(this.#folder, "staging", lakeKey(this.name));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  put(localPath: string, path: string, abortSignal: AbortSignal): Promise<void> {
    return this.#guarded(async () => {
      const container = await this.#ensureContainer(abortSignal);
      const client = container.getBlockBlobClient(this.#prefix + path);
      await client.uploadFile(localPath, {
        abortSignal,
        blockSize: UPLOAD_BLOCK_BYTES,
        concurrency: UPLOADS_AT_ONCE,
        blobHTTPHeaders: { blobContentType: "application/vnd.apache.parquet" },
      });
      await rm(localPath, { force: true });
    });
  }

  remove(paths: readonly string[], abortSignal: AbortSignal): Promise<void> {
    return this.#guarded(async () => {
      const container = await this.#client();
      for (let from = 0; from < paths.length; from += REMOVES_AT_ONCE) {
        const some = paths.slice(from, from + REMOVES_AT_ONCE);
        await Promise.all(
          some.map((path) => container.deleteBlob(this.#prefix + path, { abortSignal }).catch(unlessGone)),
        );
      }
    });
  }

  list(abortSignal: AbortSignal): Promise<string[]> {
    return this.#guarded(async () => {
      const container = await this.#client();
      const found: string[] = [];
      for (const kind of LAKE_KINDS) {
        const blobs = container.listBlobsFlat({ prefix: `${this.#prefix}${kind}/`, abortSignal });
        try {
          for await (const { name } of blobs) if (name.endsWith(PARQUET)) found.push(name.slice(this.#prefix.length));
        } catch (error) {
          unlessGone(error);
        }
      }
      return found.sort();
    });
  }

  readText(path: string, abortSignal: AbortSignal): Promise<string | undefined> {
    return this.#guarded(async () => {
      const container = await this.#client();
      try {
        return (
          await container.getBlobClient(this.#prefix + path).downloadToBuffer(0, undefined, { abortSignal })
        ).toString();
      } catch (error) {
        unlessGone(error);
        return undefined;
      }
    });
  }

  writeText(path: string, text: string, abortSignal: AbortSignal): Promise<void> {
    return this.#guarded(async () => {
      const container = await this.#ensureContainer(abortSignal);
      const bytes = Buffer.from(text);
      await container.getBlockBlobClient(this.#prefix + path).upload(bytes, bytes.length, { abortSignal });
    });
  }

  local(files: readonly LocalWish[], abortSignal: AbortSignal): Promise<LocalFiles> {
    return this.#guarded(async () => {
      const container = await this.#client();
      return await this.#cache.fetch(files, async (path, target) => {
        try {
          await container.getBlobClient(this.#prefix + path).downloadToFile(target, 0, undefined, { abortSignal });
          return (await stat(target)).size;
        } catch (error) {
          unlessGone(error);
          return undefined;
        }
      });
    });
  }

  async #ensureContainer(abortSignal: AbortSignal): Promise<ContainerClient> {
    const container = await this.#client();
    if (!this.#isMade) await container.createIfNotExists({ abortSignal });
    this.#isMade = true;
    return container;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof EdgeError || (error instanceof Error && error.name === "AbortError")) throw error;
      throw unavailable(`the lake ${this.name}: ${messageOf(error).split("\n")[0]}`, error);
    }
  }
}

function unlessGone(error: unknown): void {
  if ((error as { statusCode?: unknown }).statusCode !== 404) throw error;
}

/** Address of the account, without its key. */
function accountOf(connectionString: string): string {
  const parts = new Map(
    connectionString.split(";").map((part) => [part.split("=", 1)[0], part.slice(part.indexOf("=") + 1)]),
  );
  const account = parts.get("AccountName");
  const address =
    parts.get("BlobEndpoint") ??
    (account && `https://${account}.blob.${parts.get("EndpointSuffix") ?? "core.windows.net"}`);
  if (address === undefined)
    throw unavailable("the connection string of the lake's storage account names no account", undefined);
  return address.replace(/\/$/, "");
}

function unavailable(message: string, cause: unknown): EdgeError {
  return new EdgeError("LAKE_UNAVAILABLE", message, {
    cause,
    hint: "Check the connection string of the storage account, the container, and the way there.",
  });
}
