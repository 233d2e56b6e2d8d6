import { randomBytes } from "node:crypto";
import { HubError } from "../hub-error.ts";
import type { Authentication } from "../ports.ts";

const KEY_BYTES_MIN = 16;
const KEY_BYTES_MAX = 64;
/** SHA-1 or SHA-256, hexadecimal. */
const THUMBPRINT = /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/;

/** What an identity proves itself with after a write: keys that are missing are made, or kept. @throws HubError ArgumentInvalid */
export function authenticationOf(wanted: Authentication, old: Authentication): Authentication {
  if (wanted.type !== "sas") {
    const thumbprints = {
      primaryThumbprint: thumbprintOf(wanted.x509Thumbprint?.primaryThumbprint),
      secondaryThumbprint: thumbprintOf(wanted.x509Thumbprint?.secondaryThumbprint),
    };
    if (wanted.type === "selfSigned" && Object.values(thumbprints).every((thumbprint) => thumbprint === null)) {
      throw new HubError("ArgumentInvalid", "a self-signed certificate is known by its thumbprint: give one");
    }
    return {
      type: wanted.type,
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: wanted.type === "selfSigned" ? thumbprints : noThumbprints(),
    };
  }
  const primaryKey = keyOf(wanted.symmetricKey?.primaryKey) ?? old.symmetricKey.primaryKey ?? newKey();
  const secondaryKey = keyOf(wanted.symmetricKey?.secondaryKey) ?? old.symmetricKey.secondaryKey ?? newKey();
  return { type: "sas", symmetricKey: { primaryKey, secondaryKey }, x509Thumbprint: noThumbprints() };
}

/** 32 random bytes, base64, as IoT Hub makes them. */
export function newKey(): string {
  return randomBytes(32).toString("base64");
}

function noThumbprints(): Authentication["x509Thumbprint"] {
  return { primaryThumbprint: null, secondaryThumbprint: null };
}

function keyOf(key: string | null | undefined): string | null {
  if (key === null || key === undefined || key === "") return null;
  const bytes = Buffer.from(key, "base64");
  if (
    bytes.length < KEY_BYTES_MIN ||
    bytes.length > KEY_BYTES_MAX ||
    bytes.toString("base64").replace(/=+$/, "") !== key.replace(/=+$/, "")
  ) {
    throw new HubError("ArgumentInvalid", `a key is base64 of ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes`);
  }
  return key;
}

function thumbprintOf(thumbprint: string | null | undefined): string | null {
  if (thumbprint === null || thumbprint === undefined || thumbprint === "") return null;
  const plain = thumbprint.replaceAll(/[:\s]/g, "").toUpperCase();
  if (!THUMBPRINT.test(plain)) throw new HubError("ArgumentInvalid", "a thumbprint is SHA-1 or SHA-256 in hexadecimal");
  return plain;
}
