/**
 * OPC UA status codes (Part 4, 7.39 and Part 6, Annex A): the two top bits are the severity (00 Good, 01 Uncertain,
 * 10 Bad). Modbus exceptions and timeouts are mapped onto the same codes, so that everything downstream reads one kind.
 */
export const StatusCode = {
  Good: 0x00000000,
  Uncertain: 0x40000000,
  UncertainNoCommunicationLastUsable: 0x408f0000,
  UncertainLastUsableValue: 0x40900000,
  Bad: 0x80000000,
  BadUnexpectedError: 0x80010000,
  BadInternalError: 0x80020000,
  BadCommunicationError: 0x80050000,
  BadEncodingError: 0x80060000,
  BadDecodingError: 0x80070000,
  BadEncodingLimitsExceeded: 0x80080000,
  BadTimeout: 0x800a0000,
  BadServerNotConnected: 0x800d0000,
  BadServerHalted: 0x800e0000,
  BadSecurityChecksFailed: 0x80130000,
  BadCertificateTimeInvalid: 0x80140000,
  BadCertificateUntrusted: 0x801a0000,
  BadUserAccessDenied: 0x801f0000,
  BadIdentityTokenRejected: 0x80210000,
  BadWaitingForInitialData: 0x80320000,
  BadNodeIdInvalid: 0x80330000,
  BadNodeIdUnknown: 0x80340000,
  BadAttributeIdInvalid: 0x80350000,
  BadIndexRangeInvalid: 0x80360000,
  BadIndexRangeNoData: 0x80370000,
  BadNotReadable: 0x803a0000,
  BadOutOfRange: 0x803c0000,
  BadNotSupported: 0x803d0000,
  BadNotFound: 0x803e0000,
  BadSecurityModeRejected: 0x80540000,
  BadSecurityPolicyRejected: 0x80550000,
  BadNoMatch: 0x806f0000,
  BadTypeMismatch: 0x80740000,
  BadConfigurationError: 0x80890000,
  BadNotConnected: 0x808a0000,
  BadDeviceFailure: 0x808b0000,
  BadSensorFailure: 0x808c0000,
  BadOutOfService: 0x808d0000,
  BadConnectionClosed: 0x80ae0000,
  BadInvalidState: 0x80af0000,
  BadNoDataAvailable: 0x80b10000,
} as const;

const NAME_BY_CODE = new Map<number, string>(Object.entries(StatusCode).map(([name, code]) => [code, name]));

export type Severity = "good" | "uncertain" | "bad";

/** Severity from the two top bits. */
export function severityOf(statusCode: number): Severity {
  const top = statusCode >>> 30;
  return top === 0 ? "good" : top === 1 ? "uncertain" : "bad";
}

/** The standard name, else the severity and the code in hexadecimal: "Bad 0x80ff0000". Flag bits are ignored for the name. */
export function statusName(statusCode: number): string {
  const name = NAME_BY_CODE.get((statusCode & 0xffff0000) >>> 0);
  if (name !== undefined) return name;
  const severity = severityOf(statusCode);
  const word = severity === "good" ? "Good" : severity === "uncertain" ? "Uncertain" : "Bad";
  return `${word} 0x${statusCode.toString(16).padStart(8, "0")}`;
}
