import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../errors.ts";
import type { ConfigPath, Findings } from "./problem.ts";

/** A password file is a line, not a volume. */
const PASSWORD_FILE_BYTES_MAX = 4_096;
/** All authorities of a common operating system in one file are a quarter of a MiB. */
const PEM_FILE_BYTES_MAX = 1024 * 1024;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

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
    return this.line(name, at, "password");
  }

  /** A secret of one line: the file's text without the line end. `what` is for people. */
  line(name: string, at: ConfigPath, what: string): string | undefined {
    const text = this.#text(name, at, PASSWORD_FILE_BYTES_MAX)?.replace(/\r?\n$/, "");
    if (text !== "") return text;
    this.#unreadable(name, at, new Error("it is empty"), `put the ${what} into it and nothing else`);
    return undefined;
  }

  /** The path of a file of PEM certificates, each of which was read; undefined after a problem. */
  certificates(name: string, at: ConfigPath): string | undefined {
    return this.#certificates(name, at)?.path;
  }

  /** Paths of a PEM certificate and of its private key; undefined after a problem. */
  keyPair(
    certificate: string,
    certificateAt: ConfigPath,
    privateKey: string,
    privateKeyAt: ConfigPath,
  ): { certificatePath: string; privateKeyPath: string } | undefined {
    const own = this.#certificates(certificate, certificateAt);
    const key = this.#privateKey(privateKey, privateKeyAt);
    if (own === undefined || key === undefined) return undefined;
    if (!own.certificates[0]?.checkPrivateKey(key.key)) {
      this.#findings.problem(
        privateKeyAt,
        `file '${privateKey}' is not the key of the certificate in '${certificate}'`,
        "the box's own certificate comes first in its file; take the key that it was made with",
      );
      return undefined;
    }
    return { certificatePath: own.path, privateKeyPath: key.path };
  }

  #certificates(name: string, at: ConfigPath): { path: string; certificates: X509Certificate[] } | undefined {
    const text = this.#text(name, at, PEM_FILE_BYTES_MAX);
    if (text === undefined) return undefined;
    const hint = "give a PEM file, text that begins with -----BEGIN CERTIFICATE-----";
    const parts = text.match(PEM_CERTIFICATE) ?? [];
    if (parts.length === 0) {
      this.#unreadable(name, at, new Error("it holds no PEM certificate"), hint);
      return undefined;
    }
    try {
      return { path: resolve(this.#folder, name), certificates: parts.map((part) => new X509Certificate(part)) };
    } catch {
      this.#unreadable(name, at, new Error("it holds a certificate that is damaged"), hint);
      return undefined;
    }
  }

  #privateKey(name: string, at: ConfigPath): { path: string; key: KeyObject } | undefined {
    const text = this.#text(name, at, PEM_FILE_BYTES_MAX);
    if (text === undefined) return undefined;
    const isEncrypted = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(text);
    try {
      if (isEncrypted) throw new Error("it has a passphrase");
      return { path: resolve(this.#folder, name), key: createPrivateKey(text) };
    } catch {
      this.#unreadable(
        name,
        at,
        new Error(isEncrypted ? "it has a passphrase" : "it holds no PEM private key"),
        isEncrypted
          ? "take the passphrase off (openssl pkey -in FILE -out FILE), and let only this program's user read the file"
          : "give a PEM file, text that begins with -----BEGIN PRIVATE KEY-----",
      );
      return undefined;
    }
  }

  #text(name: string, at: ConfigPath, bytesMax: number): string | undefined {
    const path = this.existing(name, at);
    if (path === undefined) return undefined;
    try {
      if (statSync(path).size > bytesMax) throw new Error(`it is larger than ${bytesMax} bytes`);
      return readFileSync(path, "utf8");
    } catch (error) {
      this.#unreadable(name, at, error);
      return undefined;
    }
  }

  #unreadable(
    name: string,
    at: ConfigPath,
    error: unknown,
    hint = "the name is relative to the configuration file; check it, and the permissions of the user who runs this",
  ): void {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "it does not exist" : code === "EACCES" ? "this user may not read it" : messageOf(error);
    this.#findings.problem(at, `file '${name}' can't be used: ${why}`, hint);
  }
}
