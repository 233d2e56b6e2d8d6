import { EdgeError, type ErrorCode, messageOf } from "../../../edge/kernel/errors.ts";
import { describeAddress, type HubAddress } from "./hub-address.ts";
import type { Phase } from "./wire.ts";

/** A failed attempt: what broke, how far it came, and after what time. */
export interface Failure {
  readonly error: unknown;
  readonly phase: Phase;
  readonly address: HubAddress;
  readonly transport: "mqtt" | "mqtt-ws";
}

const FIREWALL_HINT: Readonly<Record<Failure["transport"], string>> = {
  mqtt: "Check the network cable or modem and the firewall (port 8883 outwards; with `transport: mqtt-ws` port 443 is enough).",
  "mqtt-ws": "Check the network cable or modem, the firewall (port 443 outwards) and a proxy between.",
};
const CA_HINT =
  "For a hub of your own give its authority as `uplink.ca`. For an IoT Hub something between breaks the encryption open, such as a company's proxy: ask for port 8883 to be let through.";

/** Codes of OpenSSL and Node for a certificate that leads to no known authority. */
const UNKNOWN_AUTHORITY = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
  "INVALID_CA",
]);

/** The EdgeError of a failed attempt; every cause that is told apart has its sentence here. */
export function connectError(failure: Failure): EdgeError {
  const { error, address, transport } = failure;
  const { host, port } = address;
  const at = `${host}:${port}`;
  const code = codeOf(error);
  const make = (errorCode: ErrorCode, message: string, hint: string): EdgeError =>
    new EdgeError(errorCode, message, { cause: error, hint });
  const unreachable = (what: string, hint = FIREWALL_HINT[transport]): EdgeError =>
    make("UPLINK_UNREACHABLE", what, hint);

  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EAI_FAIL") {
    const nameServer = code === "ENOTFOUND" ? "the name server does not know it" : "the name server does not answer";
    return unreachable(
      `The name of the hub, ${host}, was not found: ${nameServer}`,
      "Check the spelling of the hub's name, the DNS settings of this box, and whether it is on the network at all.",
    );
  }
  if (code === "ECONNREFUSED") {
    return unreachable(
      `Nobody takes connections at ${at} (refused)`,
      "The machine is there but no hub listens on this port: check the port, and whether the hub or gateway runs.",
    );
  }
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "EHOSTDOWN") {
    return unreachable(`${at} can't be reached (${code}): packets get no answer`);
  }
  const certificate = certificateError(code, error, at, make);
  if (certificate !== undefined) return certificate;
  const refused = refusal(code, error, address, make);
  if (refused !== undefined) return refused;
  if (code === "EPROTO" || code?.startsWith("ERR_SSL_") === true) {
    if (/alert/i.test(`${code} ${messageOf(error)}`) && address.proof === "certificate") {
      return make(
        "UPLINK_IDENTITY",
        `The hub at ${at} refused this box's certificate during the TLS handshake (${code})`,
        "Check that the certificate is registered at the hub (its thumbprint, or the authority that signed it) and has not expired.",
      );
    }
    return unreachable(
      `What answers at ${at} does not speak TLS as a hub does (${code})`,
      "Check the port, and whether a proxy or another program answers in place of the hub.",
    );
  }
  if (/^Unexpected server response/.test(messageOf(error))) {
    return unreachable(
      `What answers at ${at} is no hub: ${messageOf(error)}`,
      "Check the host name and the port, and whether a proxy answers in place of the hub.",
    );
  }
  if (isTimeout(error)) return unreachable(`${at}: ${TIMEOUT_BY_PHASE[failure.phase]}`);
  return unreachable(`${at}: ${BROKEN_BY_PHASE[failure.phase]}${code === undefined ? "" : ` (${code})`}`);
}

const TIMEOUT_BY_PHASE: Readonly<Record<Phase, string>> = {
  nothing: "no answer to the attempt to connect",
  tcp: "the connection is made, but the TLS handshake gets no answer",
  tls: "the encrypted connection is made, but the hub does not answer the login",
  open: "the hub let this box in, but then fell silent",
};
const BROKEN_BY_PHASE: Readonly<Record<Phase, string>> = {
  nothing: "the connection broke before it was made",
  tcp: "the connection was cut during the TLS handshake",
  tls: "the connection was cut during the login",
  open: "the connection was cut right after the login",
};

/** Thrown in place of an answer that did not come in time. */
export class NoAnswer extends Error {}

function isTimeout(error: unknown): boolean {
  return error instanceof NoAnswer || (error instanceof Error && error.name === "TimeoutError");
}

type Make = (code: ErrorCode, message: string, hint: string) => EdgeError;

function certificateError(code: string | undefined, error: unknown, at: string, make: Make): EdgeError | undefined {
  if (code === undefined) return undefined;
  if (UNKNOWN_AUTHORITY.has(code)) {
    return make(
      "UPLINK_CERTIFICATE",
      `The certificate of the hub at ${at} is not signed by an authority that this box trusts (${code})`,
      CA_HINT,
    );
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const names = (error as { cert?: { subjectaltname?: string } }).cert?.subjectaltname;
    return make(
      "UPLINK_CERTIFICATE",
      `The certificate that ${at} shows is for another name${names === undefined ? "" : ` (${names})`}`,
      "Check the hub's host name in the connection string, and whether a name server or proxy leads to another machine.",
    );
  }
  if (code === "CERT_HAS_EXPIRED") {
    return make(
      "UPLINK_CERTIFICATE",
      `The certificate of the hub at ${at} has expired`,
      "Check this box's clock first; if it is right, the hub's certificate must be renewed.",
    );
  }
  if (code === "CERT_NOT_YET_VALID") {
    return make(
      "UPLINK_CLOCK",
      `The certificate of the hub at ${at} is not valid yet by this box's clock`,
      "Set this box's clock, or its time server (NTP). Readings keep their order whatever the clock says.",
    );
  }
  return undefined;
}

/** What the hub's own answer to the login (CONNACK) says. MQTT 3.1.1, table 3.1. */
function refusal(code: string | undefined, error: unknown, address: HubAddress, make: Make): EdgeError | undefined {
  // A socket's or OpenSSL's error is never the hub's answer; its text holds arbitrary numbers.
  if (code !== undefined && !/^[1-5]$/.test(code)) return undefined;
  // The SDK says so of whatever went wrong in a first connection.
  const text = messageOf(error).replace("Failure on first connection (Not authorized): ", "");
  const returnCode = code === undefined ? undefined : Number(code);
  if (returnCode === 3 || /server unavailable/i.test(text)) {
    return make(
      "UPLINK_UNREACHABLE",
      `The hub ${address.hubName} answers that it is not available just now`,
      "It is tried again by itself. If it stays so: the state of the hub's service, or a hub whose messages of today are used up.",
    );
  }
  if (returnCode === undefined && !/not authorized|bad user ?name|identifier rejected|server response: 401/i.test(text))
    return undefined;
  return make(
    "UPLINK_IDENTITY",
    `The hub does not let this box in: ${describeAddress(address)}`,
    address.proof === "certificate"
      ? "Look at the device in the hub's registry: is it there, is it enabled, is this certificate's thumbprint (or its authority) registered."
      : address.proof === "key"
        ? "Look at the device in the hub's registry: is it there, is it enabled, is its key the one of the connection string."
        : "Look at the module in the hub's registry and in the deployment, and at the log of edgeHub and iotedged.",
  );
}

/** Node's or mqtt.js's code of an error, as text. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" || typeof code === "number" ? String(code) : undefined;
}
