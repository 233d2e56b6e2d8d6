import type { ReceivedRollup } from "../contract/frame/received-rollup.ts";
import { MINUTE_MS } from "../contract/rollup/minute.ts";
import type { BatchFiles } from "./batch-files.ts";
import { instantOf } from "./columns.ts";
import type { NumberColumn, TextColumn } from "./parquet/column.ts";

/** Adds the minutes of one roll-up, by signal. @throws FrameError when it is damaged */
export async function addRollup(files: BatchFiles, factoryId: string, rollup: ReceivedRollup): Promise<void> {
  const { minutes } = rollup.content();
  for (const signal of [...minutes.keys()].sort()) {
    for (const { minute, count, min, max, mean } of minutes.get(signal) ?? []) {
      const sink = files.sink("rollups", factoryId, minute * MINUTE_MS);
      const [machineIds, signals, times, counts, minima, maxima, means, epochs, firstSeqs, lastSeqs] =
        sink.columns as unknown as [
          TextColumn,
          TextColumn,
          NumberColumn,
          NumberColumn,
          NumberColumn,
          NumberColumn,
          NumberColumn,
          TextColumn,
          NumberColumn,
          NumberColumn,
        ];
      const time = instantOf(minute * MINUTE_MS);
      machineIds.push(rollup.machineId);
      signals.push(signal);
      if (time === undefined) times.pushNull();
      else times.push(time);
      sink.noteTime(time);
      counts.push(count);
      minima.push(min);
      maxima.push(max);
      means.push(mean);
      epochs.push(rollup.epoch);
      firstSeqs.push(rollup.firstSeq);
      lastSeqs.push(rollup.lastSeq);
      if (sink.endRow()) await sink.flush();
    }
    if (files.isFull()) await files.settle();
  }
}
