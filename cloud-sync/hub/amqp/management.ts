import rhea from "rhea";
import type { Hub } from "../ports.ts";
import { AmqpError } from "./amqp-error.ts";
import { textOf } from "./message-fields.ts";
import type { Request } from "./request-links.ts";

const { types } = rhea;
const STR8 = 0xa1;

/**
 * READ of the event hub or of one partition, as `$management` answers it.
 * @throws AmqpError for anything else
 */
export function managementAnswer(hub: Hub, { properties }: Request): Record<string, unknown> {
  const operation = textOf(properties.operation);
  const type = textOf(properties.type);
  const name = textOf(properties.name) ?? "";
  if (operation !== "READ") throw new AmqpError("amqp:not-implemented", `no operation '${operation}', only READ`);
  if (name.toLowerCase() !== hub.hubName.toLowerCase()) {
    throw new AmqpError(
      "amqp:not-found",
      `The messaging entity '${name}' could not be found: this is '${hub.hubName}'`,
    );
  }
  if (type === "com.microsoft:eventhub") {
    const ids = Array.from({ length: hub.events.partitions }, (_, partition) => String(partition));
    return {
      name: hub.hubName,
      type,
      created_at: types.wrap_timestamp(hub.events.createdMs),
      partition_count: types.wrap_int(ids.length),
      partition_ids: types.wrap_array(ids, STR8, undefined),
    };
  }
  if (type === "com.microsoft:partition") {
    const partition = partitionOf(textOf(properties.partition) ?? "", hub.events.partitions);
    const info = hub.events.info(partition);
    return {
      name: hub.hubName,
      type,
      partition: String(partition),
      begin_sequence_number: types.wrap_long(info.firstSequenceNumber),
      last_enqueued_sequence_number: types.wrap_long(info.lastSequenceNumber),
      last_enqueued_offset: String(info.lastSequenceNumber),
      last_enqueued_time_utc: types.wrap_timestamp(info.lastEnqueuedMs),
      is_partition_empty: info.firstSequenceNumber > info.lastSequenceNumber,
    };
  }
  throw new AmqpError("amqp:not-implemented", `no type '${type}' can be read`);
}

/** @throws AmqpError com.microsoft:argument-out-of-range */
export function partitionOf(id: string, partitions: number): number {
  const partition = /^\d{1,4}$/.test(id) ? Number(id) : Number.NaN;
  if (!(partition < partitions)) {
    throw new AmqpError(
      "com.microsoft:argument-out-of-range",
      `there is no partition '${id}', only 0 to ${partitions - 1}`,
    );
  }
  return partition;
}
