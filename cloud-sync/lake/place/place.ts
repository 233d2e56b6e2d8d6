import { BlobFiles } from "./blob-files.ts";
import { FolderFiles } from "./folder-files.ts";
import type { LakeFiles } from "./lake-files.ts";

/** Where a lake is: a folder of this machine, or blobs of an Azure storage account whose names begin with the prefix. */
export type LakePlace =
  | { readonly folder: string }
  /** @property blob connection string */
  | { readonly blob: string; readonly container: string; readonly prefix: string };

export interface PlaceOptions {
  /** Where blobs are kept on this machine to be read; a folder of the system's for temporary files when left out. */
  readonly cacheFolder?: string;
  readonly cacheBytesMax?: number;
}

/** @throws EdgeError LAKE_UNAVAILABLE when the connection string is none */
export function filesOf(place: LakePlace, options: PlaceOptions = {}): LakeFiles {
  return "folder" in place ? new FolderFiles(place.folder) : new BlobFiles({ ...place, ...options });
}
