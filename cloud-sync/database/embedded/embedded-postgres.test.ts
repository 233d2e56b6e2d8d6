import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import { Database } from "../database.ts";
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.ts";

const CHILD = join(import.meta.dirname, "..", "..", "..", "test", "support", "embedded-child.ts");
const logger = pino({ level: "silent" });
const isRoot = process.getuid?.() === 0;

/** A folder that the server's user may enter, when root's tests run it as somebody else. */
function openFolder(): string {
  const folder = tempFolder();
  chmodSync(folder, 0o755);
  return folder;
}

/** Another cluster, as it stands; making one anew takes longer. */
function copyOf(folder: string): string {
  const copy = openFolder();
  cpSync(folder, copy, { recursive: true });
  chmodSync(join(copy, "cluster"), 0o700);
  if (isRoot) chownTree(join(copy, "cluster"), statSync(join(folder, "cluster")));
  return copy;
}

/** Of all tests but those that make their own. */
const template = tempFolder((remove) => afterAll(remove));
beforeAll(async () => {
  chmodSync(template, 0o755);
  await using _ = await startEmbeddedPostgres({ folder: template, settings: { fsync: "off" }, logger });
});

/** Ends with the test, whatever becomes of it. */
async function started(options: Omit<EmbeddedPostgresOptions, "logger">): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ settings: { fsync: "off" }, ...options, logger });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function values(url: string): Promise<unknown[]> {
  await using database = new Database({ url });
  await database.query("CREATE TABLE IF NOT EXISTS t (v int)");
  await database.query("INSERT INTO t SELECT count(*) FROM t");
  return (await database.query("SELECT v FROM t ORDER BY v")).rows.map(({ v }) => v);
}

interface RunningChild {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  readonly uid: number;
}

async function childOn(
  folder: string,
  user: { uid?: number; gid?: number } = {},
  how: "dispose" | "exit" = "dispose",
): Promise<RunningChild> {
  const child = spawn(process.execPath, [CHILD, folder, how], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: "/",
    ...user,
  });
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return { child, ...(JSON.parse(line.toString()) as { pid: number; url: string; uid: number }) };
}

function isAlive(pid: number): boolean {
  // A zombie, whose parent does not look after it, has no memory any more.
  const status = `/proc/${pid}/status`;
  if (existsSync(dirname(status))) return /VmSize/.test(readFileSync(status, "utf8"));
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self");
  } catch {
    return false;
  }
}

test("a fresh folder becomes a cluster, also after an initdb that was killed; a restart keeps what it holds", async () => {
  const folder = openFolder();
  mkdirSync(join(folder, "cluster.new"));
  writeFileSync(join(folder, "cluster.new", "PG_VERSION"), "18\n");
  const first = await started({ folder });
  expect(await values(await first.url("a b'\"c"))).toEqual([0]);
  const urls = await Promise.all([first.url("same"), first.url("same"), first.url("same")]);
  expect(new Set(urls).size).toBe(1);
  await using database = new Database({ url: urls[0] as string });
  const { rows } = await database.query(
    "SELECT current_setting('listen_addresses') AS addresses, pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'same'",
  );
  expect(rows).toEqual([{ addresses: "127.0.0.1", encoding: "UTF8" }]);
  await using stranger = new Database({ url: (urls[0] as string).replace(/:[^:@]+@/, ":wrong@") });
  await expect(stranger.query("SELECT 1")).rejects.toThrow(/password authentication failed/);
  expect(statSync(join(folder, "password")).mode & 0o077).toBe(0);
  await database[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  await until("the server is gone", () => !isAlive(first.pid));
  const second = await started({ folder });
  expect(await values(await second.url("a b'\"c"))).toEqual([0, 1]);
});

test("the server of a killed process is taken over; of a living one it is not", async () => {
  const folder = copyOf(template);
  const { child, pid, url } = await childOn(folder);
  expect(await values(url)).toEqual([0]);
  await expect(startEmbeddedPostgres({ folder, logger })).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
    message: expect.stringMatching(/is kept by another process that runs$/),
  });
  const guest = await startEmbeddedPostgres({ folder, guest: true, logger });
  expect(await values(await guest.url("child"))).toEqual([0, 1]);
  await guest[Symbol.asyncDispose]();
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isAlive(pid)).toBe(true);
  const server = await started({ folder });
  expect(server.pid).toBe(pid);
  expect(await values(await server.url("child"))).toEqual([0, 1, 2]);
  await server[Symbol.asyncDispose]();
  await until("the server is gone", () => !isAlive(pid));
  // A number that was left behind and is another program's by now.
  writeFileSync(
    join(folder, "cluster", "postmaster.pid"),
    `${process.pid}\n${folder}/cluster\n0\n1\n\n127.0.0.1\n\nready\n`,
  );
  const again = await started({ folder });
  expect(await values(await again.url("child"))).toEqual([0, 1, 2, 3]);
});

test("a process that ends without stopping its server asks it to end all the same", async () => {
  const { child, pid } = await childOn(copyOf(template), {}, "exit");
  child.stdin?.end();
  await once(child, "exit");
  await until("the server is gone", () => !isAlive(pid));
});

test("what is wrong is said in one sentence: folders that are damaged, a port that is taken", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  await expect(startEmbeddedPostgres({ folder: copyOf(template), port, logger })).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: `the embedded PostgreSQL can't have port ${port}: another program listens there`,
  });
  const complaint = async (damage: (copy: string) => void): Promise<string> => {
    const copy = copyOf(template);
    damage(copy);
    const error: unknown = await startEmbeddedPostgres({ folder: copy, logger }).then(
      () => new Error("it runs"),
      (reason) => reason,
    );
    expect(error).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    return (error as Error).message;
  };
  expect(await complaint((copy) => rmSync(join(copy, "cluster", "global", "pg_control")))).toMatch(
    /^the embedded PostgreSQL does not run: it ended at once: [^\n]*pg_control[^\n]*No such file/,
  );
  expect(await complaint((copy) => writeFileSync(join(copy, "cluster", "PG_VERSION"), "12\n"))).toMatch(
    /initialized by PostgreSQL version 12, which is not compatible with this version 18/,
  );
  expect(await complaint((copy) => rmSync(join(copy, "password")))).toMatch(
    /^the password of the database is missing: /,
  );
  expect(await complaint((copy) => rmSync(join(copy, "cluster", "PG_VERSION")))).toMatch(
    /is not a valid data directory/,
  );
  const file = join(openFolder(), "file");
  writeFileSync(file, "");
  await expect(startEmbeddedPostgres({ folder: file, logger })).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  const packageFolder = openFolder();
  await expect(startEmbeddedPostgres({ folder: openFolder(), packageFolder, logger })).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
    message: expect.stringMatching(/ENOENT/),
  });
});

test("who is not root runs it himself", async () => {
  const folder = openFolder();
  const nobody = 65_534;
  if (isRoot) chownSync(folder, nobody, nobody);
  const { child, pid, url, uid } = await childOn(folder, isRoot ? { uid: nobody, gid: nobody } : {});
  expect(uid).not.toBe(0);
  expect(statSync(join(folder, "cluster")).uid).toBe(uid);
  expect(await values(url)).toEqual([0]);
  child.stdin?.end();
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(isAlive(pid)).toBe(false);
});

test.runIf(isRoot)("root's server runs as somebody else, also when its folder is in root's home", async () => {
  const folder = join(homedir(), `.tailstock-test-${process.pid}`);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const server = await started({ folder });
  expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0);
  expect(await values(await server.url("a"))).toEqual([0]);
  const moved = join(folder, "moved-to.txt");
  const place = existsSync(moved) ? readFileSync(moved, "utf8").trim() : folder;
  await server[Symbol.asyncDispose]();
  const again = await started({ folder });
  expect(await values(await again.url("a"))).toEqual([0, 1]);
  await again[Symbol.asyncDispose]();
  // Who deletes the folder begins anew, wherever the cluster was.
  rmSync(folder, { recursive: true });
  const anew = await started({ folder });
  expect(await values(await anew.url("a"))).toEqual([0]);
  await anew[Symbol.asyncDispose]();
  if (place !== folder) rmSync(place, { recursive: true, force: true });
});

function chownTree(path: string, owner: { uid: number; gid: number }): void {
  chownSync(path, owner.uid, owner.gid);
  for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" }))
    chownSync(join(path, entry), owner.uid, owner.gid);
}
