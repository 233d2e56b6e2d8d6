/**
 * The files of a lake. Paths have "/" and begin with the kind; a file never changes once it is there. All methods end with the signal's
 * reason when it aborts.
 * @throws EdgeError LAKE_UNAVAILABLE
 */
export interface LakeFiles {
  /** For people: the folder, or the address of the container. */
  readonly name: string;
  /** Folder of this machine, made when it is missing, where files are written before `put`. */
  stagingFolder(): Promise<string>;
  /** Brings a file of the staging folder into the lake, whole or not at all, and takes it from there. Once more is the same as once. */
  put(localPath: string, path: string, signal: AbortSignal): Promise<void>;
  /** Those that are not there are no error. */
  remove(paths: readonly string[], signal: AbortSignal): Promise<void>;
  /** Paths of all Parquet files. */
  list(signal: AbortSignal): Promise<string[]>;
  /** undefined when there is none. */
  readText(path: string, signal: AbortSignal): Promise<string | undefined>;
  /** Replaces it, whole or not at all. */
  writeText(path: string, text: string, signal: AbortSignal): Promise<void>;
  /**
   * Where the files can be read on this machine, in their order; undefined of one that is not there. They stay until `done`.
   * @throws EdgeError LAKE_QUERY when they are more than the cache may hold
   */
  local(files: readonly LocalWish[], signal: AbortSignal): Promise<LocalFiles>;
}

export interface LocalWish {
  readonly path: string;
  readonly bytes: number;
}

export interface LocalFiles {
  readonly paths: readonly (string | undefined)[];
  /** Folder below which all of them are. */
  readonly folder: string;
  done(): void;
}

export const PARQUET = ".parquet";
