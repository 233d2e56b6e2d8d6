import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Clock } from "../../edge/kernel/clock.ts";
import { type Certificate, makeAuthority, makeServerCertificate } from "./make-certificate.ts";

const AUTHORITY_DAYS = 20 * 365;
/** The longest that every client accepts. */
const SERVER_DAYS = 397;
/** A new one is made so long before the old one ends: whoever has the authority's certificate sees no difference. */
const RENEWED_BEFORE_END_MS = 60 * 86_400_000;

/** What the hub's TLS listeners are made with. */
export interface ServerCertificate {
  /** What clients must trust, PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly expiresMs: number;
}

/**
 * The certificates of a hub's folder: ca.pem (with ca.key), server.pem, server.key, keys with mode 0600. Made when they are
 * missing; the server's is made anew when its end is near or it does not cover the host. Call it daily in a hub that runs
 * on, and give what it returns to the listeners' `setSecureContext`.
 * @throws Error of node:fs when the folder can't be written
 */
export async function hubCertificates(folder: string, hostName: string, clock: Clock): Promise<ServerCertificate> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const nowMs = clock.nowMs();
  const authority =
    read(folder, "ca") ??
    write(folder, "ca", await makeAuthority({ commonName: `Tailstock hub ${hostName}`, days: AUTHORITY_DAYS, nowMs }));
  const hosts = [...new Set([hostName, "localhost", "127.0.0.1", "::1"])];
  let server = read(folder, "server");
  if (server === undefined || !serves(server, authority, hosts, nowMs)) {
    server = write(folder, "server", await makeServerCertificate(authority, { days: SERVER_DAYS, nowMs }, hosts));
  }
  return {
    ca: authority.certificate,
    cert: server.certificate,
    key: server.key,
    expiresMs: new X509Certificate(server.certificate).validToDate.getTime(),
  };
}

/** The hub's own authority, for certificates of devices. Undefined before `hubCertificates`. */
export function hubAuthority(folder: string): Certificate | undefined {
  return read(folder, "ca");
}

function serves(server: Certificate, authority: Certificate, hosts: readonly string[], nowMs: number): boolean {
  const certificate = new X509Certificate(server.certificate);
  if (certificate.validToDate.getTime() - nowMs < RENEWED_BEFORE_END_MS) return false;
  if (!certificate.verify(new X509Certificate(authority.certificate).publicKey)) return false;
  return hosts.every(
    (host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined,
  );
}

function read(folder: string, name: string): Certificate | undefined {
  try {
    const [certificate, key] = [`${name}.pem`, `${name}.key`].map((file) => readFileSync(join(folder, file), "utf8"));
    if (certificate === undefined || key === undefined) return undefined;
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)) ? { certificate, key } : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The key first and each whole: a crash in between leaves a pair that does not fit, which is not read as one. */
function write(folder: string, name: string, made: Certificate): Certificate {
  for (const [file, text, mode] of [
    [`${name}.key`, made.key, 0o600],
    [`${name}.pem`, made.certificate, 0o644],
  ] as const) {
    const path = join(folder, file);
    writeFileSync(`${path}.new`, text, { mode });
    renameSync(`${path}.new`, path);
  }
  return made;
}
