import { X509Certificate } from "node:crypto";
import { request } from "node:https";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { HubAddress } from "./hub-address.ts";

/** For each look; an attempt that failed is not held up for longer. */
const LOOK_TIMEOUT_MS = 3_000;
/** Clocks that differ by less are no reason for a refusal. */
const CLOCK_DIFFERENCE_MS_MIN = 5 * 60_000;
/** A token is made out for an hour: at a hub whose clock is so far ahead it has expired. */
const TOKEN_LIFE_MS = 60 * 60_000;
const CLOCK_HINT = "Set this box's clock, or its time server (NTP). Readings keep their order whatever the clock says.";

export interface Looks {
  /** Wall clock of this box. */
  readonly nowMs: number;
  /** Where the hub answers HTTPS with a Date header; 443 of an IoT Hub. */
  readonly httpsPort: number;
  readonly signal: AbortSignal;
}

/**
 * Looks closer at a refusal whose cause may be this box's clock or a certificate's dates, and says both times. What is found
 * without proof (the certificate was not trusted, or the Date of an answer) goes into the words and into nothing else.
 */
export async function withEvidence(error: EdgeError, address: HubAddress, looks: Looks): Promise<EdgeError> {
  if (error.code === "UPLINK_IDENTITY") return identityEvidence(error, address, looks);
  if (error.code !== "UPLINK_CERTIFICATE" && error.code !== "UPLINK_CLOCK") return error;
  const peer = await peerCertificate(address, looks.signal);
  if (peer === undefined) return error;
  const { validFromMs, validToMs, issuer } = peer;
  const dates = `${error.message}: valid from ${instant(validFromMs)} to ${instant(validToMs)}, issued by ${issuer}; this box's clock says ${instant(looks.nowMs)}`;
  if (looks.nowMs >= validFromMs && looks.nowMs <= validToMs) {
    return remade(error.code, `${error.message}; issued by ${issuer}`, error);
  }
  const hubMs = await hubTimeMs(address, looks);
  if (looks.nowMs < validFromMs) return remade("UPLINK_CLOCK", dates + hubSays(hubMs), error, CLOCK_HINT);
  const isClock = hubMs !== undefined && hubMs <= validToMs && looks.nowMs - hubMs > CLOCK_DIFFERENCE_MS_MIN;
  return isClock
    ? remade("UPLINK_CLOCK", dates + hubSays(hubMs), error, CLOCK_HINT)
    : remade("UPLINK_CERTIFICATE", dates, error);
}

async function identityEvidence(error: EdgeError, address: HubAddress, looks: Looks): Promise<EdgeError> {
  if (address.x509 !== undefined) {
    const { validFromDate, validToDate } = new X509Certificate(address.x509.cert);
    if (looks.nowMs > validToDate.getTime()) {
      return remade(
        "UPLINK_IDENTITY",
        `The hub does not let this box in: its certificate expired on ${instant(validToDate.getTime())}; this box's clock says ${instant(looks.nowMs)}`,
        error,
        "Renew the certificate of this box (uplink.certificate), unless the clock is wrong.",
      );
    }
    if (looks.nowMs < validFromDate.getTime()) {
      return remade(
        "UPLINK_CLOCK",
        `The hub does not let this box in: its certificate begins on ${instant(validFromDate.getTime())}, but this box's clock says ${instant(looks.nowMs)}`,
        error,
        CLOCK_HINT,
      );
    }
    return error;
  }
  const hubMs = await hubTimeMs(address, looks);
  if (hubMs === undefined) return error;
  if (hubMs - looks.nowMs >= TOKEN_LIFE_MS - CLOCK_DIFFERENCE_MS_MIN) {
    return remade(
      "UPLINK_CLOCK",
      `The hub does not accept this box's token, which has expired by the hub's clock: it says ${instant(hubMs)}, this box's clock says ${instant(looks.nowMs)}`,
      error,
      CLOCK_HINT,
    );
  }
  if (Math.abs(hubMs - looks.nowMs) < CLOCK_DIFFERENCE_MS_MIN) return error;
  const hint = `${error.hint ?? ""} Besides, the clocks differ: the hub's says ${instant(hubMs)}, this box's ${instant(looks.nowMs)}.`;
  return remade(error.code, error.message, error, hint);
}

function remade(code: EdgeError["code"], message: string, error: EdgeError, hint = error.hint): EdgeError {
  return new EdgeError(code, message, { cause: error.cause, ...(hint === undefined ? {} : { hint }) });
}

/** Whole seconds are enough to see that a clock is wrong. */
function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function hubSays(hubMs: number | undefined): string {
  return hubMs === undefined ? "" : `, the hub's says ${instant(hubMs)}`;
}

interface Peer {
  readonly validFromMs: number;
  readonly validToMs: number;
  readonly issuer: string;
}

/** The dates of the certificate that the hub shows, whether it is trusted or not; nothing is sent over such a connection. */
async function peerCertificate({ host, port }: HubAddress, signal: AbortSignal): Promise<Peer | undefined> {
  return look<Peer | undefined>(signal, (done) => {
    const socket: TLSSocket = connect({ host, port, servername: host, rejectUnauthorized: false }, () => {
      const certificate: DetailedPeerCertificate = socket.getPeerCertificate(true);
      const { valid_from, valid_to, issuer } = certificate;
      if (valid_from === undefined) return done(undefined);
      const name = [issuer?.CN, issuer?.O].flat().find((part) => typeof part === "string" && part !== "");
      done({
        validFromMs: Date.parse(valid_from),
        validToMs: Date.parse(valid_to),
        issuer: name ?? "an unnamed issuer",
      });
    });
    socket.on("error", () => done(undefined));
    socket.on("close", () => done(undefined));
    return () => socket.destroy();
  });
}

/** The hub's clock from the Date of an HTTPS answer, whatever the answer is. */
async function hubTimeMs({ host }: HubAddress, { httpsPort, signal }: Looks): Promise<number | undefined> {
  return look<number | undefined>(signal, (done) => {
    const asked = request(
      { host, port: httpsPort, method: "HEAD", path: "/", rejectUnauthorized: false },
      (response) => {
        const ms = Date.parse(response.headers.date ?? "");
        response.resume();
        done(Number.isNaN(ms) ? undefined : ms);
      },
    );
    asked.on("error", () => done(undefined));
    asked.end();
    return () => asked.destroy();
  });
}

/** Runs one look, which is cut off after its time. */
async function look<T>(
  signal: AbortSignal,
  begin: (done: (value: T | undefined) => void) => () => void,
): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  const end = begin(resolve);
  const onAbort = (): void => resolve(undefined);
  const timer = setTimeout(onAbort, LOOK_TIMEOUT_MS);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    end();
  }
}
