import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DEFAULTS } from "../../kernel/config/defaults.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";

/** The folders of the certificate store, as OPC UA Part 12, Annex F lays them out. */
const FOLDER_BY_PLACE = {
  own: ["own", "certs"],
  trusted: ["trusted", "certs"],
  issuer: ["issuers", "certs"],
  rejected: ["rejected"],
} as const;
export type CertificatePlace = keyof typeof FOLDER_BY_PLACE;

/** Days before the end at which a certificate is warned about: long enough for a visit to the machine. */
export const EXPIRY_WARNING_DAYS = 42;

export interface StoredCertificate {
  /** SHA-1 of the DER form, 40 hexadecimal digits: the name OPC UA tools give it. */
  readonly thumbprint: string;
  readonly place: CertificatePlace;
  readonly subject: string;
  readonly issuer: string;
  readonly applicationUri: string | null;
  readonly validFromMs: number;
  readonly validToMs: number;
  readonly path: string;
  /** One sentence when it expires within EXPIRY_WARNING_DAYS, has expired or is not yet valid; else null. */
  readonly warning: string | null;
}

/** Every certificate of the store, own first. Files that hold no certificate are left out. */
export function listCertificates(pkiPath: string, nowMs: number = Date.now()): StoredCertificate[] {
  return (Object.keys(FOLDER_BY_PLACE) as CertificatePlace[]).flatMap((place) => {
    const folder = path.join(pkiPath, ...FOLDER_BY_PLACE[place]);
    if (!existsSync(folder)) return [];
    return readdirSync(folder).flatMap((name) => {
      const file = path.join(folder, name);
      const certificate = readCertificate(file);
      return certificate ? [describe(certificate, place, file, nowMs)] : [];
    });
  });
}

/**
 * Moves a rejected certificate to the trusted ones; the next attempt to connect uses it.
 * @param thumbprint at least 8 of the leading hexadecimal digits
 * @throws EdgeError USAGE when none or several match
 */
export function trustCertificate(pkiPath: string, thumbprint: string): StoredCertificate {
  const wanted = thumbprint.replaceAll(":", "").toLowerCase();
  const rejected = listCertificates(pkiPath).filter((each) => each.place === "rejected");
  const matches = rejected.filter((each) => wanted.length >= 8 && each.thumbprint.startsWith(wanted));
  const match = matches[0];
  if (match === undefined || matches.length > 1) {
    throw new EdgeError(
      "USAGE",
      `${matches.length} rejected certificates have a thumbprint that starts with "${thumbprint}"`,
      {
        hint: `give at least 8 digits; rejected are: ${rejected.map((each) => each.thumbprint).join(", ") || "none"}`,
      },
    );
  }
  const target = path.join(folderOf(pkiPath, "trusted"), path.basename(match.path));
  renameSync(match.path, target);
  return { ...match, place: "trusted", path: target };
}

export type Trust = { readonly trusted: true; readonly warning: string | null };

/**
 * Decides whether a server's certificate is believed. It is when it lies in trusted/certs, when a trusted or issuing
 * authority there has signed it, or when the mode says so. An unknown one is kept in rejected/ for the technician.
 * A pinned certificate that has expired is still believed, with a warning: its key is the one that was checked by a
 * person, and a box without a clock battery must not lose its machines (P17, P18).
 * @throws EdgeError DRIVER_REFUSED with BadCertificateUntrusted or BadCertificateTimeInvalid
 */
export function verifyServerCertificate(
  pkiPath: string,
  endpointUrl: string,
  der: Buffer,
  mode: "explicit" | "first-use" | "any",
  nowMs: number,
): Trust {
  const certificate = new X509Certificate(der);
  const info = describe(
    certificate,
    "rejected",
    path.join(folderOf(pkiPath, "rejected"), fileName(certificate)),
    nowMs,
  );
  if (mode === "any") return { trusted: true, warning: info.warning };
  if (isStored(pkiPath, "trusted", certificate)) return { trusted: true, warning: info.warning };
  if (signedByTrusted(pkiPath, certificate)) {
    if (nowMs >= info.validFromMs && nowMs <= info.validToMs) return { trusted: true, warning: info.warning };
    writeFileSync(info.path, der);
    throw refusal(info, "is outside its time of validity", StatusCode.BadCertificateTimeInvalid, pkiPath);
  }
  const pinsPath = path.join(pkiPath, "pins.json");
  const pins = existsSync(pinsPath) ? (JSON.parse(readFileSync(pinsPath, "utf8")) as Record<string, string>) : {};
  if (mode === "first-use" && pins[endpointUrl] === undefined) {
    mkdirSync(pkiPath, { recursive: true });
    writeFileSync(pinsPath, `${JSON.stringify({ ...pins, [endpointUrl]: info.thumbprint }, null, 2)}\n`);
    writeFileSync(path.join(folderOf(pkiPath, "trusted"), fileName(certificate)), der);
    return { trusted: true, warning: info.warning };
  }
  writeFileSync(info.path, der);
  const what = mode === "first-use" ? "is not the one seen at first use" : "is not trusted yet";
  throw refusal(info, what, StatusCode.BadCertificateUntrusted, pkiPath);
}

/** Sentences about own and trusted certificates that expire soon, for the status and the log (P17). */
export function expiryWarnings(pkiPath: string, nowMs: number): string[] {
  return listCertificates(pkiPath, nowMs).flatMap((each) =>
    each.warning !== null && each.place !== "rejected"
      ? [`${each.place} certificate ${each.subject}: ${each.warning}`]
      : [],
  );
}

function refusal(info: StoredCertificate, what: string, statusCode: number, pkiPath: string): EdgeError {
  return new EdgeError("DRIVER_REFUSED", `the server's certificate "${info.subject}" (${info.thumbprint}) ${what}`, {
    statusCode,
    hint: `compare the thumbprint with the one the machine shows, then run: ${trustCommand(pkiPath, info.thumbprint)} (the certificate lies in ${info.path})`,
  });
}

/** What a technician types. The store is named unless it is the one that the command line takes by itself. */
function trustCommand(pkiPath: string, thumbprint: string): string {
  const store = path.resolve(pkiPath);
  const isDefault = store === path.resolve(DEFAULTS.opcua.pkiPath);
  const quoted = /^[\w./\\:@+-]+$/.test(store) ? store : `"${store}"`;
  return `tailstock certs trust ${thumbprint}${isDefault ? "" : ` --pki ${quoted}`}`;
}

function describe(
  certificate: X509Certificate,
  place: CertificatePlace,
  file: string,
  nowMs: number,
): StoredCertificate {
  const validFromMs = Date.parse(certificate.validFrom);
  const validToMs = Date.parse(certificate.validTo);
  return {
    thumbprint: thumbprintOf(certificate),
    place,
    subject: certificate.subject.replaceAll("\n", ", "),
    issuer: certificate.issuer.replaceAll("\n", ", "),
    applicationUri: /URI:([^,]+)/.exec(certificate.subjectAltName ?? "")?.[1] ?? null,
    validFromMs,
    validToMs,
    path: file,
    warning: expiryWarning(validFromMs, validToMs, nowMs),
  };
}

function expiryWarning(validFromMs: number, validToMs: number, nowMs: number): string | null {
  const days = Math.floor((validToMs - nowMs) / 86_400_000);
  if (nowMs < validFromMs) return `not valid before ${new Date(validFromMs).toISOString()}: check this box's clock`;
  if (days < 0) return `expired ${-days} days ago`;
  return days <= EXPIRY_WARNING_DAYS ? `expires in ${days} days` : null;
}

function thumbprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint.replaceAll(":", "").toLowerCase();
}

function fileName(certificate: X509Certificate): string {
  return `server[${thumbprintOf(certificate)}].der`;
}

function folderOf(pkiPath: string, place: CertificatePlace): string {
  const folder = path.join(pkiPath, ...FOLDER_BY_PLACE[place]);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function certificatesIn(pkiPath: string, place: CertificatePlace): X509Certificate[] {
  const folder = folderOf(pkiPath, place);
  return readdirSync(folder).flatMap((name) => readCertificate(path.join(folder, name)) ?? []);
}

function isStored(pkiPath: string, place: CertificatePlace, certificate: X509Certificate): boolean {
  return certificatesIn(pkiPath, place).some((each) => each.raw.equals(certificate.raw));
}

/** Follows issuers up to four steps; the chain must end at, or pass, one in trusted/certs. */
function signedByTrusted(pkiPath: string, certificate: X509Certificate): boolean {
  const trusted = certificatesIn(pkiPath, "trusted").filter((each) => each.ca);
  const known = [...trusted, ...certificatesIn(pkiPath, "issuer").filter((each) => each.ca)];
  let current = certificate;
  for (let step = 0; step < 4; step++) {
    const issuer = known.find((each) => current.checkIssued(each) && current.verify(each.publicKey));
    if (issuer === undefined || issuer.raw.equals(current.raw)) return false;
    if (trusted.some((each) => each.raw.equals(issuer.raw))) return true;
    current = issuer;
  }
  return false;
}

function readCertificate(file: string): X509Certificate | undefined {
  if (!/\.(der|pem|crt|cer)$/i.test(file)) return undefined;
  try {
    return new X509Certificate(readFileSync(file));
  } catch {
    return undefined; // Half-written or foreign files in the store are not certificates; they grant nothing.
  }
}
