import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** PostgreSQL refuses to run as root: these are asked for instead, the first that the system knows. */
const CANDIDATES = ["postgres", "nobody"];
/** Where clusters and programs of root are kept when the server's user can't enter the folders that hold them. */
export const ROOTS_FOLDER = "/var/lib/tailstock";

export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Who the server runs as: undefined for whoever runs this process, unless that is root. */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const wanted of CANDIDATES) {
    const found = users.find(([name]) => name === wanted);
    if (found) return { name: wanted, uid: Number(found[2]), gid: Number(found[3]) };
  }
  return { name: "65534", uid: 65_534, gid: 65_534 };
}

/** Whether the user may pass through all the folders that lead to the path, and enter it when it is one. */
export function isReachable(path: string, { uid, gid }: ServerUser): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found !== undefined) {
      const enter = found.uid === uid ? 0o100 : found.gid === gid ? 0o010 : 0o001;
      if ((found.mode & enter) === 0) return false;
    }
    if (folder === dirname(folder)) return true;
  }
}
