/**
 * How a request is put on the wire and how its answer is told from everything else that may arrive. modbus-serial's own
 * ports are not used for this: its TCP port counts only 256 transaction ids, accepts an exception from any unit and waits
 * for ever behind a garbled length; its "TcpRTUBuffered" port speaks the TCP framing after all; its Telnet and RTU ports
 * keep the bytes of a late answer and hand them to the next request.
 */

/** A request as modbus-serial hands it to a port, and an answer as it wants it back: unit id, PDU, CRC (RTU form). */
export type RtuFrame = Buffer;

export type Verdict =
  /** The answer to the request under way. */
  | { readonly kind: "answer"; readonly frame: RtuFrame }
  /** A whole frame that answers an earlier request, or none. */
  | { readonly kind: "stale" }
  /** A frame that claims to be the answer and is not valid; `lost` when the start of the next frame is unknown too. */
  | { readonly kind: "rejected"; readonly reason: string; readonly lost: boolean };

export interface Framing {
  /** True when an answer names its request, so that a late one can't be mistaken. */
  readonly namesRequests: boolean;
  /** Bytes that wait for the rest of their frame. */
  readonly residueBytes: number;
  /** Starts a request: the bytes for the wire. */
  begin(request: RtuFrame): Buffer;
  push(chunk: Buffer): Verdict[];
  /** Forgets what has arrived so far. */
  clear(): void;
}

/** CRC-16 of Modbus over Serial Line V1.02, 6.2.2: polynomial A001 reflected, start FFFF. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

/** Appends the CRC, low byte first. */
export function withCrc(bytes: Uint8Array): RtuFrame {
  const frame = Buffer.alloc(bytes.length + 2);
  frame.set(bytes);
  frame.writeUInt16LE(crc16(bytes), bytes.length);
  return frame;
}

/** What the answer to a read (functions 1 to 4) must look like. */
interface Expected {
  readonly unitId: number;
  readonly functionCode: number;
  readonly dataBytes: number;
}

function expectedOf(request: RtuFrame): Expected {
  const functionCode = request.readUInt8(1);
  const count = request.readUInt16BE(4);
  return {
    unitId: request.readUInt8(0),
    functionCode,
    dataBytes: functionCode <= 2 ? Math.ceil(count / 8) : count * 2,
  };
}

const MBAP_BYTES = 6;
const MBAP_LENGTH_MAX = 254; // unit id + PDU of at most 253 bytes

/** Modbus TCP: transaction id, protocol id 0, length, unit id, PDU (Messaging on TCP/IP V1.0b, 3.1.3). */
export class MbapFraming implements Framing {
  readonly namesRequests = true;
  #buffer = Buffer.alloc(0);
  #transactionId = Math.floor(Math.random() * 0x1_0000);
  #expected: Expected | null = null;

  get residueBytes(): number {
    return this.#buffer.length;
  }

  begin(request: RtuFrame): Buffer {
    this.#transactionId = (this.#transactionId + 1) & 0xffff;
    this.#expected = expectedOf(request);
    const wire = Buffer.alloc(MBAP_BYTES + request.length - 2);
    wire.writeUInt16BE(this.#transactionId, 0);
    wire.writeUInt16BE(request.length - 2, 4);
    request.copy(wire, MBAP_BYTES, 0, request.length - 2);
    return wire;
  }

  push(chunk: Buffer): Verdict[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const verdicts: Verdict[] = [];
    while (this.#buffer.length >= MBAP_BYTES) {
      const protocolId = this.#buffer.readUInt16BE(2);
      const length = this.#buffer.readUInt16BE(4);
      if (protocolId !== 0 || length < 2 || length > MBAP_LENGTH_MAX) {
        const reason = `no Modbus TCP header (protocol id ${protocolId}, length ${length})`;
        this.clear();
        return [...verdicts, { kind: "rejected", reason, lost: true }];
      }
      if (this.#buffer.length < MBAP_BYTES + length) break;
      const transactionId = this.#buffer.readUInt16BE(0);
      const adu = this.#buffer.subarray(MBAP_BYTES, MBAP_BYTES + length);
      this.#buffer = this.#buffer.subarray(MBAP_BYTES + length);
      verdicts.push(this.#judge(transactionId, adu));
    }
    return verdicts;
  }

  clear(): void {
    this.#buffer = Buffer.alloc(0);
  }

  #judge(transactionId: number, adu: Buffer): Verdict {
    const expected = this.#expected;
    if (expected === null || transactionId !== this.#transactionId) return { kind: "stale" };
    this.#expected = null;
    const reason = faultOf(adu, expected);
    return reason === null ? { kind: "answer", frame: withCrc(adu) } : { kind: "rejected", reason, lost: false };
  }
}

function faultOf(adu: Buffer, { unitId, functionCode, dataBytes }: Expected): string | null {
  if (adu[0] !== unitId) return `unit ${adu[0]} answered for unit ${unitId}`;
  if (adu[1] === (functionCode | 0x80)) return adu.length === 3 ? null : `an exception of ${adu.length} bytes, not 3`;
  if (adu[1] !== functionCode) return `function ${adu[1]} answered for function ${functionCode}`;
  if (adu[2] !== dataBytes) return `${adu[2] ?? 0} data bytes announced, ${dataBytes} expected`;
  return adu.length === 3 + dataBytes ? null : `${adu.length - 3} data bytes, ${dataBytes} expected`;
}

const RTU_FRAME_BYTES_MAX = 256;
const RTU_EXCEPTION_BYTES = 5;

/**
 * RTU frames on a byte stream (serial port or raw TCP): unit id, PDU, CRC. Silence between frames doesn't survive drivers
 * and gateways, so the answer is found by what it must look like: unit, function, byte count and a right CRC at any offset.
 */
export class RtuFraming implements Framing {
  readonly namesRequests = false;
  #buffer = Buffer.alloc(0);
  #expected: Expected | null = null;

  get residueBytes(): number {
    return this.#buffer.length;
  }

  begin(request: RtuFrame): Buffer {
    this.clear();
    this.#expected = expectedOf(request);
    return request;
  }

  push(chunk: Buffer): Verdict[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const verdicts: Verdict[] = [];
    for (let frame = this.#cut(); frame !== null; frame = this.#cut()) verdicts.push({ kind: "answer", frame });
    // Two frames' length of noise can't hold the beginning of an answer any more.
    if (this.#buffer.length > 2 * RTU_FRAME_BYTES_MAX) this.#buffer = this.#buffer.subarray(-RTU_FRAME_BYTES_MAX);
    return verdicts;
  }

  clear(): void {
    this.#buffer = Buffer.alloc(0);
  }

  #cut(): RtuFrame | null {
    if (this.#expected === null) return null;
    const { unitId, functionCode, dataBytes } = this.#expected;
    for (let at = 0; at + RTU_EXCEPTION_BYTES <= this.#buffer.length; at += 1) {
      if (this.#buffer[at] !== unitId) continue;
      const code = this.#buffer[at + 1];
      const isData = code === functionCode && this.#buffer[at + 2] === dataBytes;
      if (!isData && code !== (functionCode | 0x80)) continue;
      const end = at + (isData ? dataBytes + 5 : RTU_EXCEPTION_BYTES);
      if (end > this.#buffer.length) continue;
      const frame = this.#buffer.subarray(at, end);
      if (crc16(frame.subarray(0, -2)) !== frame.readUInt16LE(frame.length - 2)) continue;
      this.#buffer = this.#buffer.subarray(end);
      return frame;
    }
    return null;
  }
}
