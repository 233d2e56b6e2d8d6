import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import "reflect-metadata"; // what @peculiar/x509 needs to be loaded at all
import * as x509 from "@peculiar/x509";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;
/** A client's clock may be a little behind. */
const BACKDATED_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** PEM texts; the key in PKCS #8. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

interface Subject {
  readonly commonName: string;
  readonly days: number;
  readonly nowMs: number;
}

/** A certificate authority of one's own. */
export async function makeAuthority(subject: Subject): Promise<Certificate> {
  return await make(subject, undefined, [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ]);
}

/** For a TLS server that is reached by these host names and addresses. */
export async function makeServerCertificate(
  authority: Certificate,
  subject: Omit<Subject, "commonName">,
  hosts: readonly string[],
): Promise<Certificate> {
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? ("dns" as const) : ("ip" as const), value: host }));
  return await make({ ...subject, commonName: hosts[0] ?? "localhost" }, authority, [
    ...leafExtensions(x509.ExtendedKeyUsage.serverAuth),
    new x509.SubjectAlternativeNameExtension(names),
  ]);
}

/** For a device; its common name is the device id (of a module "device/module"). Self-signed without an authority. */
export async function makeDeviceCertificate(
  authority: Certificate | undefined,
  subject: Subject,
): Promise<Certificate> {
  return await make(subject, authority, leafExtensions(x509.ExtendedKeyUsage.clientAuth));
}

function leafExtensions(usage: x509.ExtendedKeyUsage): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
  ];
}

async function make(
  { commonName, days, nowMs }: Subject,
  authority: Certificate | undefined,
  extensions: readonly x509.Extension[],
): Promise<Certificate> {
  const crypto = webcrypto as Crypto;
  const keys = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const name = [{ CN: [commonName] }];
  const issuer = authority === undefined ? undefined : new x509.X509Certificate(authority.certificate);
  const params = {
    subject: name,
    publicKey: keys.publicKey,
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(nowMs + days * DAY_MS),
    signingAlgorithm: SIGNING_ALGORITHM,
    signingKey: authority === undefined ? keys.privateKey : await importKey(authority.key),
    issuer: issuer?.subjectName ?? name,
    extensions: [
      ...extensions,
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      await x509.AuthorityKeyIdentifierExtension.create(issuer ?? keys.publicKey, false, crypto),
    ],
  };
  const made = await x509.X509CertificateGenerator.create(params, crypto);
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: `${made.toString("pem")}\n`, key: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n` };
}

async function importKey(pem: string): Promise<CryptoKey> {
  const pkcs8 = x509.PemConverter.decodeFirst(pem);
  return await (webcrypto as Crypto).subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]);
}
