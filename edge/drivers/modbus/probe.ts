import { systemClock } from "../../kernel/clock.ts";
import type { ModbusTable, ModbusTransport } from "../../kernel/config/model.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { Line } from "./line.ts";
import { BITS_PER_READ_MAX, REGISTERS_PER_READ_MAX } from "./plan.ts";
import { meaningOf } from "./status-map.ts";
import { addressOf } from "./transport.ts";

export interface ProbeRequest {
  readonly unitId: number;
  readonly table: ModbusTable;
  /** Zero-based PDU address of the first register or bit. */
  readonly start: number;
  readonly count: number;
}

/**
 * Reads registers (0..65535) or bits (0 and 1) once, straight from a device, without a configuration. Two tries of
 * `timeoutMs` each.
 * @throws EdgeError DRIVER_NOT_CONNECTED (nobody there, no answer), DRIVER_REFUSED (the device answered with an exception,
 *   whose status is the error's), USAGE (more than one read can hold)
 */
export async function readRegisters(
  transport: ModbusTransport,
  request: ProbeRequest,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<readonly number[]> {
  const { unitId, table, start, count } = request;
  const countMax = table === "coil" || table === "discrete" ? BITS_PER_READ_MAX : REGISTERS_PER_READ_MAX;
  if (!(count >= 1 && count <= countMax && start >= 0 && start + count <= 65_536 && unitId >= 0 && unitId <= 255)) {
    throw new EdgeError("USAGE", `can't read ${count} of ${table} ${start} from unit ${unitId}`, {
      hint: `One read takes 1 to ${countMax}, from addresses 0 to 65535, of unit 0 to 255.`,
    });
  }
  const signal = options.signal ?? new AbortController().signal;
  const line = new Line({ transport, timeoutMs: options.timeoutMs ?? 1_000, pauseMs: 0 }, systemClock);
  try {
    await line.open(signal);
    for (let attempt = 1; ; attempt += 1) {
      const answer = await line.read({ unitId, table, address: start, count }, signal);
      if (answer.kind === "data") return answer.words;
      const { message, hint, statusCode, transient } = meaningOf(answer);
      if (transient && attempt < 2 && !signal.aborted) continue;
      throw new EdgeError(
        answer.kind === "exception" ? "DRIVER_REFUSED" : "DRIVER_NOT_CONNECTED",
        `${addressOf(transport)}, unit ${unitId}, ${table} ${start}: ${message}`,
        { hint, statusCode },
      );
    }
  } finally {
    line.close();
  }
}
