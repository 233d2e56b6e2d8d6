import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../errors.ts";
import type { ConfigPath, Findings } from "./problem.ts";

/** A password file is a line, not a volume. */
const PASSWORD_FILE_BYTES_MAX = 4_096;

/** Files that a configuration names, read relative to its folder; it remembers them, so that their changes are noticed. */
export class SecretFiles {
  readonly paths = new Set<string>();
  readonly #folder: string;
  readonly #findings: Findings;

  constructor(folder: string, findings: Findings) {
    this.#folder = folder;
    this.#findings = findings;
  }

  /** The absolute path of a file that must be there; undefined after a problem. */
  existing(name: string, at: ConfigPath): string | undefined {
    const path = resolve(this.#folder, name);
    this.paths.add(path);
    try {
      if (!statSync(path).isFile()) throw new Error("it is not a file");
      accessSync(path, constants.R_OK);
      return path;
    } catch (error) {
      this.#unreadable(name, at, error);
      return undefined;
    }
  }

  /** A password: the file's text without the line end. */
  password(name: string, at: ConfigPath): string | undefined {
    const path = this.existing(name, at);
    if (path === undefined) return undefined;
    try {
      if (statSync(path).size > PASSWORD_FILE_BYTES_MAX)
        throw new Error(`it is larger than ${PASSWORD_FILE_BYTES_MAX} bytes`);
      const password = readFileSync(path, "utf8").replace(/\r?\n$/, "");
      if (password === "") throw new Error("it is empty");
      return password;
    } catch (error) {
      this.#unreadable(name, at, error);
      return undefined;
    }
  }

  #unreadable(name: string, at: ConfigPath, error: unknown): void {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "it does not exist" : code === "EACCES" ? "this user may not read it" : messageOf(error);
    this.#findings.problem(
      at,
      `file '${name}' can't be used: ${why}`,
      "the name is relative to the configuration file; check it, and the permissions of the user who runs this",
    );
  }
}
