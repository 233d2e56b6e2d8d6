import type { StoredEvent } from "../contract/event.ts";
import type { BatchFiles } from "./batch-files.ts";
import { instantOf } from "./columns.ts";
import type { NumberColumn, TextColumn } from "./parquet/column.ts";

/** Adds events of one machine, by time. */
export async function addEvents(files: BatchFiles, factoryId: string, events: readonly StoredEvent[]): Promise<void> {
  for (const event of events.toSorted((a, b) => a.timeMs - b.timeMs || a.seq - b.seq)) {
    const sink = files.sink("events", factoryId, event.timeMs);
    const [machineIds, types, times, entityIds, causes, data, epochs, seqs] = sink.columns as unknown as [
      TextColumn,
      TextColumn,
      NumberColumn,
      TextColumn,
      TextColumn,
      TextColumn,
      TextColumn,
      NumberColumn,
    ];
    const time = instantOf(event.timeMs);
    machineIds.push(event.machineId);
    types.push(event.type);
    if (time === undefined) times.pushNull();
    else times.push(time);
    sink.noteTime(time);
    entityIds.push(event.entityId);
    if (event.causedBy === undefined) causes.pushNull();
    else causes.push(event.causedBy);
    if (event.type === "telemetry") data.pushNull();
    else data.push(JSON.stringify(event.data));
    epochs.push(event.epoch);
    seqs.push(event.seq);
    if (sink.endRow()) await sink.flush();
  }
  if (files.isFull()) await files.settle();
}
