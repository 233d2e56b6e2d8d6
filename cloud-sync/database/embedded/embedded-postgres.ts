import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import pg from "pg";
import type { Logger } from "pino";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { freePort } from "../../../edge/kernel/free-port.ts";
import { findPostgres, type PostgresBinaries } from "./binaries.ts";
import { isReachable, type ServerUser, serverUser } from "./server-user.ts";

const USER = "tailstock";
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
const LOOK_MS = 20;
const COMPLAINT_CHARACTERS_MAX = 4_000;
/** Where clusters of root are kept when the server's user can't enter the folder that was asked for. */
const ROOTS_FOLDER = "/var/lib/tailstock";

export interface EmbeddedPostgresOptions {
  /** Of the cluster; made when it is not there. */
  readonly folder: string;
  /** Any free one when left out. */
  readonly port?: number;
  /** Settings for this start: { shared_buffers: "256MB" }. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Of another version of PostgreSQL than the installed one. */
  readonly packageFolder?: string;
  /** A server that runs already is used and left running: for a short command beside the process that owns it. */
  readonly guest?: boolean;
  readonly logger: Logger;
}

/** A PostgreSQL server of our own, on loopback, whose programs come from the npm registry. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** postgres://… of a database that is made when it is not there. */
  url(database: string): Promise<string>;
  readonly pid: number;
}

/**
 * Starts the server on its cluster, or takes over one that a killed process left running. It listens on loopback only and asks for the
 * password that its folder holds.
 * @throws EdgeError DATABASE_UNAVAILABLE with the server's own words when it does not come up
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const folder = placeFor(resolve(options.folder), user);
  const binaries = findPostgres(user, options.packageFolder);
  const data = join(folder, "cluster");
  if (!existsSync(join(data, "PG_VERSION"))) await initialise(folder, data, binaries, user);
  const password = readFileSync(join(folder, "password"), "utf8").trim();
  const left = await leftRunning(data, password);
  if (left !== undefined && options.guest) return new Server(left.port, password, left.pid, async () => undefined);
  if (left !== undefined) {
    options.logger.warn({ pid: left.pid }, "the database server of an ended process still runs: it is taken over");
    return new Server(left.port, password, left.pid, () => stopProcess(left.pid));
  }
  const port = options.port ?? (await freePort());
  const child = launch(data, port, binaries, user, options.settings ?? {});
  await untilReady(child, port, password);
  return new Server(port, password, child.pid as number, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "exit");
    child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGQUIT"), STOP_MS_MAX);
    await closed;
    clearTimeout(timer);
  });
}

class Server implements EmbeddedPostgres {
  readonly pid: number;
  readonly #port: number;
  readonly #password: string;
  readonly #stop: () => Promise<void>;

  constructor(port: number, password: string, pid: number, stop: () => Promise<void>) {
    this.#port = port;
    this.#password = password;
    this.pid = pid;
    this.#stop = stop;
  }

  async url(database: string): Promise<string> {
    const client = new pg.Client({ connectionString: this.#urlOf("postgres") });
    await client.connect();
    try {
      const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [database]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
    } finally {
      await client.end();
    }
    return this.#urlOf(database);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  #urlOf(database: string): string {
    return `postgres://${USER}:${this.#password}@127.0.0.1:${this.#port}/${encodeURIComponent(database)}`;
  }
}

function placeFor(folder: string, user: ServerUser | undefined): string {
  mkdirSync(folder, { recursive: true });
  if (user === undefined || isReachable(folder, user)) return folder;
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  const place = join(ROOTS_FOLDER, `postgres-${name}`);
  mkdirSync(place, { recursive: true, mode: 0o755 });
  writeFileSync(join(folder, "moved-to.txt"), `${place}\n`);
  return place;
}

async function initialise(
  folder: string,
  data: string,
  { initdb }: PostgresBinaries,
  user: ServerUser | undefined,
): Promise<void> {
  // What an initdb that was killed has left.
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { mode: 0o700 });
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
  if (user) for (const path of [data, passwordFile]) chownSync(path, user.uid, user.gid);
  const args = [
    `--pgdata=${data}`,
    `--username=${USER}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--no-locale",
    "--no-instructions",
  ];
  const child = spawn(initdb, args, { stdio: ["ignore", "ignore", "pipe"], ...identity(user) });
  const words = collect(child);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw unavailable("its cluster could not be made", words());
}

function launch(
  data: string,
  port: number,
  { postgres }: PostgresBinaries,
  user: ServerUser | undefined,
  settings: Readonly<Record<string, string>>,
): ChildProcess {
  const all = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "", ...settings };
  return spawn(postgres, ["-D", data, ...Object.entries(all).flatMap(([key, value]) => ["-c", `${key}=${value}`])], {
    // A group of its own: the terminal's Ctrl-C must reach us first, so that what still writes can end.
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
    ...identity(user),
  });
}

function identity(user: ServerUser | undefined): { uid?: number; gid?: number; cwd: string } {
  return { cwd: "/", ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }) };
}

function collect(child: ChildProcess): () => string {
  let words = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-COMPLAINT_CHARACTERS_MAX);
  });
  return () => words;
}

async function untilReady(child: ChildProcess, port: number, password: string): Promise<void> {
  const words = collect(child);
  const deadline = performance.now() + START_MS_MAX;
  let failure: unknown;
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
      throw unavailable("it ended at once", words());
    try {
      await tryConnect(port, password);
      return;
    } catch (error) {
      failure = error;
    }
    await new Promise((next) => setTimeout(next, LOOK_MS));
  }
  child.kill("SIGQUIT");
  throw unavailable(`nobody could connect in ${START_MS_MAX / 1000} s (${messageOf(failure)})`, words());
}

async function tryConnect(port: number, password: string): Promise<void> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: USER, password, database: "postgres" });
  client.on("error", () => undefined);
  try {
    await client.connect();
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The server whose process outlived ours: postmaster.pid names it and its port. */
async function leftRunning(data: string, password: string): Promise<{ pid: number; port: number } | undefined> {
  const path = join(data, "postmaster.pid");
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, "utf8").split("\n");
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!(pid > 0) || !(port > 0) || !isAlive(pid)) return undefined;
  try {
    await tryConnect(port, password);
    return { pid, port };
  } catch {
    // The number belongs to another process by now, or the server is just ending: a start tells which.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function stopProcess(pid: number): Promise<void> {
  if (!isAlive(pid)) return;
  process.kill(pid, "SIGINT");
  const deadline = performance.now() + STOP_MS_MAX;
  while (isAlive(pid) && performance.now() < deadline) await new Promise((next) => setTimeout(next, LOOK_MS));
}

function unavailable(what: string, words: string): EdgeError {
  const last = words.trim().split("\n").slice(-3).join(" ");
  return new EdgeError(
    "DATABASE_UNAVAILABLE",
    `the embedded PostgreSQL does not run: ${what}${last === "" ? "" : `: ${last}`}`,
    {
      hint: "Look at the server's words, the free space on the disk, and the folder's owner.",
    },
  );
}
