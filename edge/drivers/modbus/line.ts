import { EventEmitter } from "node:events";
import modbusSerial from "modbus-serial";
import type { Clock } from "../../kernel/clock.ts";
import type { ModbusConnection, ModbusTable } from "../../kernel/config/model.ts";
import { messageOf } from "../../kernel/errors.ts";
import { type Framing, MbapFraming, type RtuFrame, RtuFraming } from "./framing.ts";
import type { Answer } from "./status-map.ts";
import { type OpenStream, openTransport } from "./transport.ts";

const ModbusRTU = modbusSerial.default;
type Client = InstanceType<typeof ModbusRTU>;

/** After so many requests without a single byte back, a socket is taken for half-open and replaced. */
const SILENT_REQUESTS_MAX = 3;

export interface LineRequest {
  readonly unitId: number;
  readonly table: ModbusTable;
  readonly address: number;
  readonly count: number;
}

export type LineSettings = Pick<ModbusConnection, "transport" | "timeoutMs" | "pauseMs">;

/** What modbus-serial needs of a port: it writes requests in RTU form and takes answers in RTU form from "data". */
class FramedPort extends EventEmitter {
  readonly isOpen = true;
  // One transaction at a time: modbus-serial needs no ids of its own, and keeps no table of old ones.
  _transactionIdRead = 1;
  _transactionIdWrite = 1;
  readonly #send: (request: RtuFrame) => void;
  constructor(send: (request: RtuFrame) => void) {
    super();
    this.#send = send;
  }
  open(done: (error: null) => void): void {
    done(null);
  }
  write(request: RtuFrame): void {
    this.#send(request);
  }
}

/** One life of the stream, from open to close. */
interface Session {
  readonly open: OpenStream;
  readonly framing: Framing;
  readonly port: FramedPort;
  readonly client: Client;
  /** Set when the start of the next frame is unknown: the stream is replaced before the next request. */
  doubtful: boolean;
  closedReason: string | null;
}

interface Transaction {
  readonly settle: (answer: Answer) => void;
  readonly onFrame: (frame: RtuFrame) => void;
}

/**
 * One line (a TCP connection or serial port) with one transaction at a time: `read` must not be called before the last
 * one resolved. Never takes a late answer for the answer to another request:
 * - Modbus TCP: by the 16-bit transaction id.
 * - RTU has no ids. After a timeout of (unit, function) the next request of that kind first waits another `timeoutMs` for
 *   the late answer, and then holds its first answer back for `timeoutMs`: when a second one comes, neither is taken.
 */
export class Line {
  readonly counters = { requests: 0, timeouts: 0, staleReplies: 0, malformed: 0, reopened: 0 };
  readonly #settings: LineSettings;
  readonly #clock: Clock;
  #session: Session | null = null;
  #transaction: Transaction | null = null;
  #silentRequests = 0;
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #lastKind = "";
  /** Kinds of request (unit, function) whose answer may still come, and since when; RTU only. At most 256 units × 4. */
  readonly #owed = new Map<string, number>();

  constructor(settings: LineSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#session !== null && this.#session.closedReason === null;
  }

  /** @throws EdgeError DRIVER_NOT_CONNECTED, DRIVER_REFUSED, DRIVER_CONFIG */
  async open(signal: AbortSignal): Promise<void> {
    this.close();
    const open = await openTransport(this.#settings.transport, signal);
    const framing = this.#settings.transport.kind === "tcp" ? new MbapFraming() : new RtuFraming();
    const port = new FramedPort((request) => open.stream.write(framing.begin(request)));
    const client = new ModbusRTU(port);
    client.on("error", () => undefined);
    client.open();
    const session: Session = { open, framing, port, client, doubtful: false, closedReason: null };
    open.stream.on("data", (chunk: Buffer) => this.#onData(session, chunk));
    open.stream.on("error", (error) => this.#onClose(session, messageOf(error)));
    open.stream.on("end", () => this.#onClose(session, "the other side ended the connection"));
    open.stream.on("close", () => this.#onClose(session, "the connection was closed"));
    this.#session = session;
    this.#silentRequests = 0;
  }

  /** Closes at once; a request under way resolves as closed. Idempotent. */
  close(): void {
    const session = this.#session;
    this.#session = null;
    if (session === null) return;
    this.#onClose(session, "the line was closed");
    session.open.close();
  }

  /**
   * Sends one read and waits at most `timeoutMs` for its answer (RTU after a timeout: three times that). A line that has
   * been closed, as servers do with idle ones, is opened again first.
   * @throws EdgeError DRIVER_NOT_CONNECTED when it can't be opened
   */
  async read(request: LineRequest, signal: AbortSignal): Promise<Answer> {
    const sincePreviousMs = this.#clock.monotonicMs() - this.#lastEndMs;
    if (sincePreviousMs < this.#settings.pauseMs) {
      await this.#clock.sleep(this.#settings.pauseMs - sincePreviousMs, signal);
    }
    const session = await this.#readySession(signal);
    const kind = `${request.unitId}|${request.table}`;
    const owed = await this.#drain(session, kind, signal);
    if (signal.aborted) return { kind: "closed", reason: "the driver is stopping" };
    if (session.closedReason !== null) return { kind: "closed", reason: session.closedReason };
    this.#lastKind = kind;
    this.counters.requests += 1;
    const answer = await this.#transact(session, request, owed, signal);
    this.#lastEndMs = this.#clock.monotonicMs();
    if (answer.kind === "silence" || answer.kind === "malformed") {
      if (answer.kind === "silence") this.counters.timeouts += 1;
      else this.counters.malformed += 1;
      if (!session.framing.namesRequests) this.#owed.set(kind, this.#lastEndMs);
      else if (session.framing.residueBytes > 0) session.doubtful = true;
    } else this.#owed.delete(kind);
    return answer;
  }

  async #readySession(signal: AbortSignal): Promise<Session> {
    const session = this.#session;
    const isSocket = this.#settings.transport.kind !== "rtu";
    if (session !== null && session.closedReason === null) {
      // Bytes that belong to no request garble the next answer: TCP has no way back into step but a new connection.
      const outOfStep = session.doubtful || (session.framing.namesRequests && session.framing.residueBytes > 0);
      if (!outOfStep && !(isSocket && this.#silentRequests >= SILENT_REQUESTS_MAX)) return session;
    }
    if (session !== null) this.counters.reopened += 1;
    await this.open(signal);
    if (this.#session === null) throw new Error("the line was closed while it was being opened");
    return this.#session;
  }

  /** RTU: gives a late answer of the same kind the time to come and be thrown away. True when it still has not come. */
  async #drain(session: Session, kind: string, signal: AbortSignal): Promise<boolean> {
    const sinceMs = this.#owed.get(kind);
    if (sinceMs === undefined) return false;
    const untilMs = sinceMs + this.#settings.timeoutMs;
    while (this.#owed.has(kind) && session.closedReason === null && !signal.aborted) {
      const waitMs = untilMs - this.#clock.monotonicMs();
      if (waitMs <= 0) break;
      await this.#clock.sleep(Math.min(waitMs, 10), signal);
    }
    return this.#owed.has(kind);
  }

  #transact(session: Session, request: LineRequest, owed: boolean, signal: AbortSignal): Promise<Answer> {
    const { timeoutMs } = this.#settings;
    return new Promise((resolve) => {
      let held: RtuFrame | null = null;
      const settle = (answer: Answer) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.#transaction = null;
        resolve(answer);
      };
      const onTime = () => {
        if (held !== null) return session.port.emit("data", held);
        this.#silentRequests += 1;
        const noiseBytes = session.framing.residueBytes;
        settle(
          noiseBytes === 0
            ? { kind: "silence" }
            : { kind: "malformed", reason: `${noiseBytes} bytes that are no whole answer (length, unit id or CRC)` },
        );
      };
      const onFrame = (frame: RtuFrame) => {
        if (!owed) return session.port.emit("data", frame);
        if (held === null) {
          held = frame;
          clearTimeout(timer);
          timer = setTimeout(onTime, timeoutMs);
        } else {
          this.counters.staleReplies += 1;
          settle({ kind: "malformed", reason: "two answers came after a timeout, and can't be told apart" });
        }
      };
      const onAbort = () => settle({ kind: "closed", reason: "the driver is stopping" });
      let timer = setTimeout(onTime, timeoutMs);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#transaction = { settle, onFrame };
      send(session.client, request, settle);
    });
  }

  #onData(session: Session, chunk: Buffer): void {
    this.#silentRequests = 0;
    for (const verdict of session.framing.push(chunk)) {
      if (verdict.kind === "rejected") {
        session.doubtful ||= verdict.lost;
        this.#transaction?.settle({ kind: "malformed", reason: verdict.reason });
      } else if (verdict.kind === "answer" && this.#transaction !== null) {
        this.#transaction.onFrame(verdict.frame);
      } else {
        this.counters.staleReplies += 1;
        this.#owed.delete(this.#lastKind);
      }
    }
  }

  #onClose(session: Session, reason: string): void {
    if (session.closedReason !== null) return;
    session.closedReason = reason;
    session.port.removeAllListeners();
    session.open.close();
    if (this.#session === session || this.#session === null) this.#transaction?.settle({ kind: "closed", reason });
  }
}

function send(client: Client, { unitId, table, address, count }: LineRequest, settle: (answer: Answer) => void): void {
  const onResult = (error: unknown, result: { data: readonly (number | boolean)[] } | undefined) => {
    if (error === null && result !== undefined) {
      // Bits come in whole bytes; those past the count are padding.
      return settle({ kind: "data", words: result.data.slice(0, count).map(Number) });
    }
    const exceptionCode = error instanceof Error && "modbusCode" in error ? Number(error.modbusCode) : null;
    settle(
      exceptionCode === null ? { kind: "malformed", reason: messageOf(error) } : { kind: "exception", exceptionCode },
    );
  };
  if (table === "coil") client.writeFC1(unitId, address, count, onResult);
  else if (table === "discrete") client.writeFC2(unitId, address, count, onResult);
  else if (table === "holding") client.writeFC3(unitId, address, count, onResult);
  else client.writeFC4(unitId, address, count, onResult);
}
