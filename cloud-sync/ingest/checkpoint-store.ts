import { randomUUID } from "node:crypto";
import type { Checkpoint, CheckpointStore, PartitionOwnership } from "@azure/event-hubs";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Sql } from "../database/database.ts";

export interface PostgresCheckpointStoreOptions {
  readonly database: Sql;
  readonly clock: Clock;
  /** Names the hub: checkpoints of another one under the same name are none. */
  readonly hubKey: string;
}

interface OwnershipRow {
  readonly partition_id: string;
  readonly owner_id: string;
  readonly etag: string;
  readonly age_ms: number;
}

const CLAIM_FIRST = `
INSERT INTO app.events_ownership (namespace, hub_name, consumer_group, partition_id, owner_id, etag, modified_at)
VALUES ($1, $2, $3, $4, $5, $6, now())
ON CONFLICT DO NOTHING`;
const CLAIM_AGAIN = `
UPDATE app.events_ownership SET owner_id = $5, etag = $6, modified_at = now()
 WHERE namespace = $1 AND hub_name = $2 AND consumer_group = $3 AND partition_id = $4 AND etag = $7`;
const MOVE = `
INSERT INTO app.events_checkpoint
       (namespace, hub_name, consumer_group, partition_id, hub_key, event_offset, sequence_number, moved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now())
ON CONFLICT (namespace, hub_name, consumer_group, partition_id) DO UPDATE
   SET hub_key = excluded.hub_key, event_offset = excluded.event_offset, sequence_number = excluded.sequence_number,
       moved_at = excluded.moved_at
 WHERE events_checkpoint.hub_key <> excluded.hub_key OR events_checkpoint.sequence_number < excluded.sequence_number`;

/**
 * Who reads which partition, and from where, in PostgreSQL: workers of one consumer group share it. A claim is compared with the etag
 * that the claimant has seen, so of two that claim at once one gets it. A checkpoint never goes back: a worker that lost its partition and
 * has not noticed yet moves nothing.
 * @throws EdgeError as Database, from every method
 */
export class PostgresCheckpointStore implements CheckpointStore {
  readonly #database: Sql;
  readonly #clock: Clock;
  readonly #hubKey: string;

  constructor({ database, clock, hubKey }: PostgresCheckpointStoreOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#hubKey = hubKey;
  }

  async listOwnership(namespace: string, hub: string, consumerGroup: string): Promise<PartitionOwnership[]> {
    const { rows } = await this.#database.query<OwnershipRow>(
      `SELECT partition_id, owner_id, etag, (extract(epoch FROM now() - modified_at) * 1000)::double precision AS age_ms
         FROM app.events_ownership WHERE namespace = $1 AND hub_name = $2 AND consumer_group = $3`,
      [namespace, hub, consumerGroup],
    );
    // The client compares with its own clock, which need not be the database's: what counts is the age.
    const nowMs = this.#clock.nowMs();
    return rows.map((row) => ({
      fullyQualifiedNamespace: namespace,
      eventHubName: hub,
      consumerGroup,
      partitionId: row.partition_id,
      ownerId: row.owner_id,
      etag: row.etag,
      lastModifiedTimeInMs: nowMs - row.age_ms,
    }));
  }

  async claimOwnership(claims: PartitionOwnership[]): Promise<PartitionOwnership[]> {
    const got: PartitionOwnership[] = [];
    for (const claim of claims) {
      const { fullyQualifiedNamespace, eventHubName, consumerGroup, partitionId, ownerId, etag: seen } = claim;
      const etag = randomUUID();
      const values = [fullyQualifiedNamespace, eventHubName, consumerGroup, partitionId, ownerId, etag];
      const { rowCount } =
        seen === undefined
          ? await this.#database.query(CLAIM_FIRST, values)
          : await this.#database.query(CLAIM_AGAIN, [...values, seen]);
      if (rowCount === 1) got.push({ ...claim, etag, lastModifiedTimeInMs: this.#clock.nowMs() });
    }
    return got;
  }

  async updateCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { fullyQualifiedNamespace, eventHubName, consumerGroup, partitionId, offset, sequenceNumber } = checkpoint;
    await this.#database.prepared("events_checkpoint_move", MOVE, [
      fullyQualifiedNamespace,
      eventHubName,
      consumerGroup,
      partitionId,
      this.#hubKey,
      offset,
      sequenceNumber,
    ]);
  }

  async listCheckpoints(namespace: string, hub: string, consumerGroup: string): Promise<Checkpoint[]> {
    const { rows } = await this.#database.query<{
      partition_id: string;
      event_offset: string;
      sequence_number: number;
    }>(
      `SELECT partition_id, event_offset, sequence_number FROM app.events_checkpoint
        WHERE namespace = $1 AND hub_name = $2 AND consumer_group = $3 AND hub_key = $4`,
      [namespace, hub, consumerGroup, this.#hubKey],
    );
    return rows.map((row) => ({
      fullyQualifiedNamespace: namespace,
      eventHubName: hub,
      consumerGroup,
      partitionId: row.partition_id,
      offset: row.event_offset,
      sequenceNumber: row.sequence_number,
    }));
  }

  /** The partition is read from its earliest event: the hub does not know the position any more. */
  async forget(at: Pick<Checkpoint, "fullyQualifiedNamespace" | "eventHubName" | "consumerGroup" | "partitionId">) {
    await this.#database.query(
      `DELETE FROM app.events_checkpoint
        WHERE namespace = $1 AND hub_name = $2 AND consumer_group = $3 AND partition_id = $4`,
      [at.fullyQualifiedNamespace, at.eventHubName, at.consumerGroup, at.partitionId],
    );
  }
}
