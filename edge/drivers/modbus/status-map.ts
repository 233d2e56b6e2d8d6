import { StatusCode } from "../../kernel/status-code.ts";

/**
 * What came of one request. `silence` and the rest but `data` never hold a value: a reply that isn't beyond doubt the
 * answer to this very request is no reply.
 */
export type Answer =
  | { readonly kind: "data"; readonly words: readonly number[] }
  | { readonly kind: "exception"; readonly exceptionCode: number }
  | { readonly kind: "silence" }
  | { readonly kind: "malformed"; readonly reason: string }
  | { readonly kind: "closed"; readonly reason: string };
export type Failure = Exclude<Answer, { kind: "data" }>;

export interface FailureMeaning {
  /** OPC UA status of the signals that were asked for. */
  readonly statusCode: number;
  readonly message: string;
  readonly hint: string;
  /**
   * Whose fault it is. "address": this read can't be had, the unit is well; a batch is bisected. "table": the unit is
   * well but has no such function. "unit": counts for the unit's breaker.
   */
  readonly blames: "address" | "table" | "unit";
  /** Whether asking again at once may help. */
  readonly transient: boolean;
}

/**
 * Exception codes of the Modbus Application Protocol V1.1b3, section 7, and what they become:
 *
 * | code | name                            | status code           | blames  | asked again at once |
 * |------|---------------------------------|-----------------------|---------|---------------------|
 * | 01   | illegal function                | BadNotSupported       | table   | no  |
 * | 02   | illegal data address            | BadNodeIdUnknown      | address | no  |
 * | 03   | illegal data value (length)     | BadOutOfRange         | address | no  |
 * | 04   | server device failure           | BadDeviceFailure      | address | yes |
 * | 05   | acknowledge (takes long)        | BadOutOfService       | unit    | yes |
 * | 06   | server device busy              | BadOutOfService       | unit    | yes |
 * | 07   | negative acknowledge            | BadNotSupported       | table   | no  |
 * | 08   | memory parity error             | BadDeviceFailure      | address | yes |
 * | 0A   | gateway path unavailable        | BadCommunicationError | unit    | no  |
 * | 0B   | gateway target failed to answer | BadTimeout            | unit    | yes |
 * | else |                                 | BadUnexpectedError    | address | no  |
 *
 * 04 blames the address although it speaks of the device: many devices answer it for a single register that they lack.
 */
const BY_EXCEPTION = new Map<number, FailureMeaning>([
  [
    1,
    {
      statusCode: StatusCode.BadNotSupported,
      message: "the device does not know this function (exception 1)",
      hint: "Check the table: a device without input registers often has the same values as holding registers.",
      blames: "table",
      transient: false,
    },
  ],
  [
    2,
    {
      statusCode: StatusCode.BadNodeIdUnknown,
      message: "the device has no such address (exception 2)",
      hint: "Check address and table. Addresses here count from 0: a manual's 40001 is holding 0. `tailstock read` tries neighbours.",
      blames: "address",
      transient: false,
    },
  ],
  [
    3,
    {
      statusCode: StatusCode.BadOutOfRange,
      message: "the device refuses the length of this read (exception 3)",
      hint: "Check the signal's type and length, and lower registersPerReadMax for this machine.",
      blames: "address",
      transient: false,
    },
  ],
  [
    4,
    {
      statusCode: StatusCode.BadDeviceFailure,
      message: "the device failed at this read (exception 4)",
      hint: "Check the device's own diagnostics; some devices answer so for an address that they lack.",
      blames: "address",
      transient: true,
    },
  ],
  [
    5,
    {
      statusCode: StatusCode.BadOutOfService,
      message: "the device is still working on the request (exception 5)",
      hint: "The device is overloaded: poll less often or set pauseMs.",
      blames: "unit",
      transient: true,
    },
  ],
  [
    6,
    {
      statusCode: StatusCode.BadOutOfService,
      message: "the device is busy (exception 6)",
      hint: "The device is overloaded, perhaps by another client: poll less often or set pauseMs.",
      blames: "unit",
      transient: true,
    },
  ],
  [
    7,
    {
      statusCode: StatusCode.BadNotSupported,
      message: "the device declines this function (exception 7)",
      hint: "Check the table in the device's manual.",
      blames: "table",
      transient: false,
    },
  ],
  [
    8,
    {
      statusCode: StatusCode.BadDeviceFailure,
      message: "the device found a parity error in its memory (exception 8)",
      hint: "The device's memory is damaged: have it serviced.",
      blames: "address",
      transient: true,
    },
  ],
  [
    0x0a,
    {
      statusCode: StatusCode.BadCommunicationError,
      message: "the gateway has no path to this unit (exception 10)",
      hint: "Check the unit id and the gateway's routing table.",
      blames: "unit",
      transient: false,
    },
  ],
  [
    0x0b,
    {
      statusCode: StatusCode.BadTimeout,
      message: "the unit behind the gateway does not answer (exception 11)",
      hint: "Check that the device is powered, its unit id, and wiring and baud rate behind the gateway.",
      blames: "unit",
      transient: true,
    },
  ],
]);

/** What a failed request means for the signals that it asked for, in words for the technician. */
export function meaningOf(failure: Failure): FailureMeaning {
  switch (failure.kind) {
    case "exception":
      return (
        BY_EXCEPTION.get(failure.exceptionCode) ?? {
          statusCode: StatusCode.BadUnexpectedError,
          message: `the device answered with exception ${failure.exceptionCode}, which the standard does not know`,
          hint: "Look the code up in the device's manual.",
          blames: "address",
          transient: false,
        }
      );
    case "silence":
      return {
        statusCode: StatusCode.BadTimeout,
        message: "the unit did not answer in time",
        hint: "Check that the device is powered, the unit id, and on a serial line baud rate, parity and termination.",
        blames: "unit",
        transient: true,
      };
    case "malformed":
      return {
        statusCode: StatusCode.BadCommunicationError,
        message: `the answer was not a valid one: ${failure.reason}`,
        hint: "Check wiring and line noise, whether two devices share a unit id, and tcp against rtu-over-tcp.",
        blames: "unit",
        transient: true,
      };
    case "closed":
      return {
        statusCode: StatusCode.BadConnectionClosed,
        message: `the device closed the connection at this request: ${failure.reason}`,
        hint: "Check the unit id, and how many clients the device accepts at a time.",
        blames: "unit",
        transient: true,
      };
  }
}
