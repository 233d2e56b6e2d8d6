import { randomUUID } from "node:crypto";
import type Database from "better-sqlite3";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { HubError } from "../hub-error.ts";
import { notFound } from "../identity.ts";
import { messageBytes } from "../message-size.ts";
import type { Ack, Command, CommandQueue, FeedbackRecord, NewCommand, Properties } from "../ports.ts";

/** IoT Hub's limits and defaults. */
const COMMANDS_PER_DEVICE_MAX = 50;
const COMMAND_BYTES_MAX = 64 << 10;
const LOCK_MS = 60_000;
const DELIVERIES_MAX = 10;
const EXPIRES_AFTER_MS = 3_600_000;
const FEEDBACK_KEPT_MS = 3_600_000;
const FEEDBACK_MAX = 10_000;
/** What a sweep handles at a time. */
const SWEEP_MAX = 500;

interface Row {
  sequence: number;
  device_id: string;
  body: Buffer;
  properties: string;
  system: string;
  ack: Ack;
  enqueued_ms: number;
  expires_ms: number;
  delivery_count: number;
  lock_token: string | null;
  locked_until_ms: number;
}

type Outcome = FeedbackRecord["description"];

/** Cloud-to-device messages, until the device has completed them. */
export class SqliteCommandQueue implements CommandQueue {
  readonly #database: Database.Database;
  readonly #clock: Clock;
  readonly #generationOf: (deviceId: string) => string | undefined;
  readonly #insert: Database.Statement;
  readonly #next: Database.Statement<[string, number], Row>;
  readonly #lock: Database.Statement<[string, number, number]>;
  readonly #byToken: Database.Statement<[string], Row>;
  readonly #unlock: Database.Statement<[string]>;
  readonly #remove: Database.Statement<[number]>;
  readonly #ofDevice: Database.Statement<[string], Row>;
  readonly #count: Database.Statement<[string], number>;
  readonly #expired: Database.Statement<[number, number], Row>;
  readonly #addFeedback: Database.Statement<[string, number]>;
  readonly #feedback: Database.Statement<[number], { id: number; record: string }>;
  readonly #removeFeedback: Database.Statement<[number]>;
  readonly #trimFeedback: Database.Statement<[number, number]>;
  readonly #enqueuedListeners = new Set<(deviceId: string) => void>();
  readonly #feedbackListeners = new Set<() => void>();
  #hasNews = false;

  /** @param generationOf of a registered device */
  constructor(database: Database.Database, clock: Clock, generationOf: (deviceId: string) => string | undefined) {
    this.#database = database;
    this.#clock = clock;
    this.#generationOf = generationOf;
    this.#insert = database.prepare(
      `INSERT INTO command (device_id, body, properties, system, ack, enqueued_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#next = database.prepare(
      "SELECT * FROM command WHERE device_id = ? AND locked_until_ms <= ? ORDER BY sequence LIMIT 1",
    );
    this.#lock = database.prepare(
      "UPDATE command SET lock_token = ?, locked_until_ms = ?, delivery_count = delivery_count + 1 WHERE sequence = ?",
    );
    this.#byToken = database.prepare("SELECT * FROM command WHERE lock_token = ?");
    this.#unlock = database.prepare("UPDATE command SET lock_token = NULL, locked_until_ms = 0 WHERE lock_token = ?");
    this.#remove = database.prepare("DELETE FROM command WHERE sequence = ?");
    this.#ofDevice = database.prepare("SELECT * FROM command WHERE device_id = ? ORDER BY sequence");
    this.#count = database.prepare<[string], number>("SELECT count(*) FROM command WHERE device_id = ?").pluck();
    this.#expired = database.prepare("SELECT * FROM command WHERE expires_ms <= ? LIMIT ?");
    this.#addFeedback = database.prepare("INSERT INTO feedback (record, created_ms) VALUES (?, ?)");
    this.#feedback = database.prepare("SELECT id, record FROM feedback ORDER BY id LIMIT ?");
    this.#removeFeedback = database.prepare("DELETE FROM feedback WHERE id = ?");
    this.#trimFeedback = database.prepare(
      "DELETE FROM feedback WHERE created_ms < ? OR id <= (SELECT max(id) FROM feedback) - ?",
    );
    // Nobody is connected when a hub starts: what was being delivered waits again.
    database.exec("UPDATE command SET lock_token = NULL, locked_until_ms = 0 WHERE lock_token IS NOT NULL");
  }

  async enqueue(command: NewCommand): Promise<Command> {
    const { deviceId, body, properties, system, ack } = command;
    if (messageBytes(body, properties, system) > COMMAND_BYTES_MAX) {
      throw new HubError("ArgumentInvalid", `a cloud-to-device message has at most ${COMMAND_BYTES_MAX} bytes`);
    }
    if (this.#generationOf(deviceId) === undefined) throw notFound({ deviceId });
    this.#sweepDevice(deviceId);
    if (this.count(deviceId) >= COMMANDS_PER_DEVICE_MAX) {
      throw new HubError(
        "DeviceMaximumQueueDepthExceeded",
        `${COMMANDS_PER_DEVICE_MAX} messages wait for ${deviceId} already`,
      );
    }
    const enqueuedMs = Math.floor(this.#clock.nowMs());
    const expiresMs = Math.floor(command.expiresMs ?? enqueuedMs + EXPIRES_AFTER_MS);
    const written = this.#insert.run(
      deviceId,
      body,
      JSON.stringify(properties),
      JSON.stringify(system),
      ack,
      enqueuedMs,
      expiresMs,
    );
    for (const listener of this.#enqueuedListeners) listener(deviceId);
    const sequenceNumber = Number(written.lastInsertRowid);
    return { ...command, expiresMs, sequenceNumber, lockToken: "", enqueuedMs, deliveryCount: 0 };
  }

  lock(deviceId: string): Command | undefined {
    return this.#settling(() => {
      const nowMs = Math.floor(this.#clock.nowMs());
      for (;;) {
        const row = this.#next.get(deviceId, nowMs);
        if (row === undefined) return undefined;
        const outcome = outcomeBeforeDelivery(row, nowMs);
        if (outcome === undefined) {
          const lockToken = randomUUID();
          this.#lock.run(lockToken, nowMs + LOCK_MS, row.sequence);
          return commandOf({ ...row, lock_token: lockToken, delivery_count: row.delivery_count + 1 });
        }
        this.#end(row, outcome);
      }
    });
  }

  complete(lockToken: string): void {
    this.#endLocked(lockToken, "Success");
  }

  abandon(lockToken: string): void {
    const row = this.#byToken.get(lockToken);
    if (row === undefined) return;
    this.#unlock.run(lockToken);
    for (const listener of this.#enqueuedListeners) listener(row.device_id);
  }

  reject(lockToken: string): void {
    this.#endLocked(lockToken, "Rejected");
  }

  purge(deviceId: string): number {
    return this.#settling(() => {
      const rows = this.#ofDevice.all(deviceId);
      for (const row of rows) this.#end(row, "Purged");
      return rows.length;
    });
  }

  count(deviceId: string): number {
    return this.#count.get(deviceId) ?? 0;
  }

  onEnqueued(listener: (deviceId: string) => void): () => void {
    this.#enqueuedListeners.add(listener);
    return () => this.#enqueuedListeners.delete(listener);
  }

  feedback(limit: number): { readonly id: number; readonly record: FeedbackRecord }[] {
    return this.#feedback.all(limit).map(({ id, record }) => ({ id, record: JSON.parse(record) as FeedbackRecord }));
  }

  settleFeedback(ids: readonly number[]): void {
    this.#database.transaction(() => {
      for (const id of ids) this.#removeFeedback.run(id);
    })();
  }

  onFeedback(listener: () => void): () => void {
    this.#feedbackListeners.add(listener);
    return () => this.#feedbackListeners.delete(listener);
  }

  /** Ends what has expired, and forgets feedback that nobody fetched within an hour. */
  sweep(): void {
    const nowMs = Math.floor(this.#clock.nowMs());
    this.#settling(() => {
      for (const row of this.#expired.all(nowMs, SWEEP_MAX)) this.#end(row, "Expired");
    });
    this.#trimFeedback.run(nowMs - FEEDBACK_KEPT_MS, FEEDBACK_MAX);
  }

  /** Without feedback: the device is being removed. */
  forget(deviceId: string): void {
    for (const { sequence } of this.#ofDevice.all(deviceId)) this.#remove.run(sequence);
  }

  #sweepDevice(deviceId: string): void {
    const nowMs = this.#clock.nowMs();
    this.#settling(() => {
      for (const row of this.#ofDevice.all(deviceId)) if (row.expires_ms <= nowMs) this.#end(row, "Expired");
    });
  }

  #endLocked(lockToken: string, outcome: Outcome): void {
    this.#settling(() => {
      const row = this.#byToken.get(lockToken);
      if (row !== undefined) this.#end(row, outcome);
    });
  }

  /** Within a transaction. */
  #end(row: Row, outcome: Outcome): void {
    this.#remove.run(row.sequence);
    const isWanted = row.ack === "full" || row.ack === (outcome === "Success" ? "positive" : "negative");
    if (!isWanted) return;
    const nowMs = Math.floor(this.#clock.nowMs());
    const { messageId = "" } = JSON.parse(row.system) as Command["system"];
    const record: FeedbackRecord = {
      originalMessageId: messageId,
      deviceId: row.device_id,
      deviceGenerationId: this.#generationOf(row.device_id) ?? "",
      description: outcome,
      enqueuedTimeUtc: new Date(nowMs).toISOString(),
    };
    this.#addFeedback.run(JSON.stringify(record), nowMs);
    this.#hasNews = true;
  }

  /** A transaction; feedback that it made is told of behind it. */
  #settling<T>(work: () => T): T {
    this.#hasNews = false;
    const result = this.#database.transaction(work).immediate();
    if (this.#hasNews) for (const listener of this.#feedbackListeners) listener();
    return result;
  }
}

function outcomeBeforeDelivery(row: Row, nowMs: number): Outcome | undefined {
  if (row.expires_ms <= nowMs) return "Expired";
  return row.delivery_count >= DELIVERIES_MAX ? "DeliveryCountExceeded" : undefined;
}

function commandOf(row: Row): Command {
  return {
    deviceId: row.device_id,
    body: row.body,
    properties: JSON.parse(row.properties) as Properties,
    system: JSON.parse(row.system) as Command["system"],
    ack: row.ack,
    expiresMs: row.expires_ms,
    sequenceNumber: row.sequence,
    lockToken: row.lock_token ?? "",
    enqueuedMs: row.enqueued_ms,
    deliveryCount: row.delivery_count,
  };
}
