import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

export interface DuckDbLimits {
  readonly memoryMb?: number;
  readonly threads?: number;
  /** Of what DuckDB puts on the disk when the memory is not enough. */
  readonly spillMb?: number;
}

const MEMORY_MB = 1_024;
const THREADS = 2;
const SPILL_MB = 8_192;

/** An empty DuckDB in memory that loads no extension and asks no network. */
export class DuckDb implements AsyncDisposable {
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly #spill: string;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, spill: string) {
    this.#instance = instance;
    this.connection = connection;
    this.#spill = spill;
  }

  static async open({ memoryMb = MEMORY_MB, threads = THREADS, spillMb = SPILL_MB }: DuckDbLimits): Promise<DuckDb> {
    const spill = await mkdtemp(join(tmpdir(), "tailstock-lake-spill-"));
    try {
      const instance = await DuckDBInstance.create(":memory:", {
        autoinstall_known_extensions: "false",
        autoload_known_extensions: "false",
        allow_community_extensions: "false",
        allow_persistent_secrets: "false",
        memory_limit: `${memoryMb}MB`,
        threads: String(threads),
        temp_directory: spill,
        max_temp_directory_size: `${spillMb}MB`,
      });
      const connection = await instance.connect();
      await connection.run("SET TimeZone = 'UTC'");
      // DuckDB 1.5.5 fails over min(date) otherwise: it looks for statistics of a column that only the folders' names have.
      await connection.run("SET disabled_optimizers = 'statistics_propagation'");
      return new DuckDb(instance, connection, spill);
    } catch (error) {
      await rm(spill, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.#instance.closeSync();
    await rm(this.#spill, { recursive: true, force: true });
  }
}
