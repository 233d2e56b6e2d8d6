import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { freePort } from "../../../edge/kernel/free-port.ts";
import { findPostgres, type PostgresBinaries } from "./binaries.ts";
import { leftServer, stopLeft } from "./left-server.ts";
import { claimServer, clientOf, type Login, tryConnect, USER } from "./login.ts";
import { isReachable, ROOTS_FOLDER, type ServerUser, serverUser } from "./server-user.ts";

const START_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
const LOOK_MS = 20;
const COMPLAINT_CHARACTERS_MAX = 4_000;

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
 * @throws EdgeError DATABASE_UNAVAILABLE with the server's own words when it does not come up, or a living process keeps it; PORT_IN_USE
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await start(options);
  } catch (error) {
    throw error instanceof EdgeError ? error : unavailable(messageOf(error), "", error);
  }
}

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const folder = await placeFor(resolve(options.folder), user);
  const binaries = findPostgres(user, options.packageFolder);
  const data = join(folder, "cluster");
  if (!existsSync(data)) await initialise(folder, data, binaries, user);
  const password = passwordOf(folder);
  const left = await leftServer(data, password);
  if (left !== undefined && options.guest) return new Server(left.login, left.pid, async () => undefined);
  if (left !== undefined) {
    const { pid, login } = left;
    const owner = await claimServer(login);
    if (owner === undefined)
      throw new EdgeError("DATABASE_UNAVAILABLE", `the database in ${folder} is kept by another process that runs`, {
        hint: "Stop the other one first, or give this one a folder of its own.",
      });
    options.logger.warn({ pid }, "the database server of an ended process still runs: it is taken over");
    const forget = endWithUs(pid);
    return new Server(login, pid, async () => {
      forget();
      await owner.end().catch(() => undefined);
      await stopLeft(data, pid, STOP_MS_MAX);
    });
  }
  const port = options.port ?? (await freePort());
  const child = launch(data, port, binaries, user, options.settings ?? {});
  const login = { port, password };
  await untilReady(child, login, options.logger);
  const owner = await claimServer(login);
  const forget = endWithUs(child.pid as number);
  return new Server(login, child.pid as number, async () => {
    forget();
    await owner?.end().catch(() => undefined);
    if (hasEnded(child)) return;
    const closed = once(child, "exit");
    child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGQUIT"), STOP_MS_MAX);
    await closed;
    clearTimeout(timer);
  });
}

/** A process that ends without having stopped its server still asks it to end; only one that is killed outright leaves it behind. */
function endWithUs(pid: number): () => void {
  const ask = (): void => {
    try {
      process.kill(pid, "SIGINT");
    } catch {
      // It has ended by itself.
    }
  };
  process.once("exit", ask);
  return () => process.off("exit", ask);
}

class Server implements EmbeddedPostgres {
  readonly pid: number;
  readonly #login: Login;
  readonly #stop: () => Promise<void>;

  constructor(login: Login, pid: number, stop: () => Promise<void>) {
    this.#login = login;
    this.pid = pid;
    this.#stop = stop;
  }

  async url(database: string): Promise<string> {
    const client = clientOf(this.#login);
    await client.connect();
    try {
      const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [database]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
    } catch (error) {
      // Another process was quicker by a moment.
      if (!["42P04", "23505"].includes((error as { code?: string }).code ?? "")) throw error;
    } finally {
      await client.end();
    }
    const { port, password } = this.#login;
    return `postgres://${USER}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

function passwordOf(folder: string): string {
  const path = join(folder, "password");
  if (existsSync(path)) return readFileSync(path, "utf8").trim();
  throw new EdgeError("DATABASE_UNAVAILABLE", `the password of the database is missing: ${path}`, {
    hint: "Bring the file back from the backup of the folder; without it nobody gets in.",
  });
}

async function placeFor(folder: string, user: ServerUser | undefined): Promise<string> {
  mkdirSync(folder, { recursive: true });
  if (user === undefined || isReachable(folder, user)) return folder;
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  const place = join(ROOTS_FOLDER, `postgres-${name}`);
  const sign = join(folder, "moved-to.txt");
  // Whoever deletes the folder wants to begin anew.
  if (!existsSync(sign) && existsSync(place)) await discard(place);
  mkdirSync(place, { recursive: true, mode: 0o755 });
  writeFileSync(sign, `${place}\n`);
  return place;
}

async function discard(place: string): Promise<void> {
  const data = join(place, "cluster");
  const password = join(place, "password");
  const left = existsSync(password) ? await leftServer(data, readFileSync(password, "utf8").trim()) : undefined;
  if (left !== undefined) await stopLeft(data, left.pid, STOP_MS_MAX);
  rmSync(place, { recursive: true, force: true });
}

async function initialise(
  folder: string,
  data: string,
  { initdb }: PostgresBinaries,
  user: ServerUser | undefined,
): Promise<void> {
  // Made beside and moved when it is whole: an initdb that is killed leaves what looks like a cluster.
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
  if (user) for (const path of [fresh, passwordFile]) chownSync(path, user.uid, user.gid);
  const args = [
    `--pgdata=${fresh}`,
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
  renameSync(fresh, data);
}

function launch(
  data: string,
  port: number,
  { postgres }: PostgresBinaries,
  user: ServerUser | undefined,
  settings: Readonly<Record<string, string>>,
): ChildProcess {
  const all = {
    ...{ listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "", log_line_prefix: "" },
    // A statement whose process was killed ends too, and lets go what it has locked.
    ...(process.platform === "linux" ? { client_connection_check_interval: "2s" } : {}),
    ...settings,
  };
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

/** While it recovers after a fall, which takes as long as the disk wants, it is waited for; one that says nothing is given up. */
async function untilReady(child: ChildProcess, login: Login, logger: Logger): Promise<void> {
  const words = collect(child);
  let failure: unknown;
  child.on("error", (error) => {
    failure = error;
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let heardMs = performance.now();
  let isRecovering = false;
  while (performance.now() - heardMs < START_MS_MAX) {
    if (failure !== undefined) throw unavailable(`it can't be started: ${messageOf(failure)}`, "", failure);
    if (hasEnded(child)) throw endedAtOnce(login.port, words());
    // On a port that is taken somebody else may listen, and never answer.
    const answer = await Promise.race([tryConnect(login), ended]);
    if (answer === "ready" && !hasEnded(child)) return;
    if (answer === "starting") {
      heardMs = performance.now();
      if (!isRecovering) logger.info("the database is getting ready after it was not shut down");
      isRecovering = true;
    }
    await delay(LOOK_MS);
  }
  child.kill("SIGQUIT");
  throw unavailable(`nobody could connect in ${START_MS_MAX / 1000} s`, words());
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function endedAtOnce(port: number, words: string): EdgeError {
  if (/could not bind|already in use/i.test(words))
    return new EdgeError(
      "PORT_IN_USE",
      `the embedded PostgreSQL can't have port ${port}: another program listens there`,
      {
        hint: "Give the database another port, or leave the port out: then any free one is taken.",
      },
    );
  return unavailable("it ended at once", words);
}

/** Of the server's words those that say why. */
function reasonsIn(words: string): string {
  const lines = words.split("\n").filter((line) => /^(?:FATAL|PANIC|ERROR|DETAIL|HINT):|^initdb: error:/.test(line));
  const reasons = lines.length > 0 ? lines : words.trim().split("\n").slice(-3);
  return reasons.map((line) => line.replace(/^\S+:\s+/, "").trim()).join("; ");
}

function unavailable(what: string, words: string, cause?: unknown): EdgeError {
  const reasons = reasonsIn(words);
  const message = `the embedded PostgreSQL does not run: ${what}${reasons === "" ? "" : `: ${reasons}`}`;
  return new EdgeError("DATABASE_UNAVAILABLE", message, {
    cause,
    hint: "Look at the server's words, the free space on the disk, and the folder's owner.",
  });
}
