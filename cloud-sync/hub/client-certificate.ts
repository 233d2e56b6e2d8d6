import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { ClientCertificate } from "./authorize.ts";

/** Of a TLS connection, when the client showed one. */
export function certificateOf(socket: Duplex): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerCertificate();
  if (certificate?.fingerprint === undefined) return undefined;
  const commonName = certificate.subject?.CN;
  return {
    sha1: certificate.fingerprint.replaceAll(":", ""),
    sha256: certificate.fingerprint256.replaceAll(":", ""),
    commonName: typeof commonName === "string" ? commonName : "",
    isTrusted: socket.authorized,
  };
}
