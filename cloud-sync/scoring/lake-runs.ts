import type { LakeChunk } from "../lake/read-lake.ts";
import { foreignEntityId } from "../store/foreign-entity-id.ts";
import { FOREIGN_EPOCH_PREFIX } from "../store/telemetry-document.ts";
import type { Run, SignalReadings } from "./readings.ts";

/** Readings of one chunk and one epoch. */
export interface LakeRun {
  readonly factoryId: string;
  readonly run: Run;
}

interface Row {
  readonly signal: string;
  readonly epoch: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly value: number;
  readonly statusCode: number;
}

/**
 * The lake's readings as runs: each event whole, also where two chunks cut it. The lake keeps neither the offset of telemetry, which is 0
 * here, nor an entity id that is not made from the identity.
 */
export async function* lakeRuns(chunks: AsyncIterable<LakeChunk>): AsyncGenerator<LakeRun, void, undefined> {
  let open: { factoryId: string; machineId: string; rows: Row[] } | undefined;
  for await (const chunk of chunks) {
    const { factoryId, machineId } = chunk;
    if (open !== undefined && (open.machineId !== machineId || open.factoryId !== factoryId)) {
      yield* runsOf(open.factoryId, open.machineId, open.rows);
      open = undefined;
    }
    const rows = [...(open?.rows ?? []), ...rowsOf(chunk)];
    const last = rows.at(-1);
    let whole = rows.length;
    while (whole > 0 && rows[whole - 1]?.seq === last?.seq && rows[whole - 1]?.epoch === last?.epoch) whole--;
    yield* runsOf(factoryId, machineId, rows.slice(0, whole));
    open = { factoryId, machineId, rows: rows.slice(whole) };
  }
  if (open !== undefined) yield* runsOf(open.factoryId, open.machineId, open.rows);
}

function rowsOf(chunk: LakeChunk): Row[] {
  return Array.from({ length: chunk.rows }, (_, i) => ({
    signal: chunk.signals[chunk.signalIndex[i] as number] as string,
    epoch: chunk.epochs[chunk.epochIndex[i] as number] as string,
    seq: chunk.seqs[i] as number,
    timeMs: chunk.timeMs[i] as number,
    value: chunk.values[i] as number,
    statusCode: chunk.statusCodes[i] as number,
  }));
}

function* runsOf(factoryId: string, machineId: string, rows: readonly Row[]): Generator<LakeRun, void, undefined> {
  for (const [epoch, own] of Map.groupBy(rows, (row) => row.epoch))
    yield { factoryId, run: runOf(machineId, epoch, own) };
}

function runOf(machineId: string, epoch: string, rows: readonly Row[]): Run {
  const seqs: number[] = [];
  const times: number[] = [];
  const events = rows.map(({ seq, timeMs }) => {
    if (seqs.at(-1) !== seq) {
      seqs.push(seq);
      times.push(timeMs);
    }
    return seqs.length - 1;
  });
  const bySignal = new Map<string, { event: number[]; timeMs: number[]; values: number[]; statusCodes: number[] }>();
  rows.forEach(({ signal, timeMs, value, statusCode }, i) => {
    let column = bySignal.get(signal);
    if (column === undefined) {
      column = { event: [], timeMs: [], values: [], statusCodes: [] };
      bySignal.set(signal, column);
    }
    column.event.push(events[i] as number);
    column.timeMs.push(timeMs);
    column.values.push(value);
    column.statusCodes.push(statusCode);
  });
  const isForeign = epoch.startsWith(FOREIGN_EPOCH_PREFIX);
  const seqOf = (event: number): number => seqs[event] as number;
  return {
    machineId,
    epoch,
    seq: seqOf,
    timeMs: (event) => times[event] as number,
    offset: () => 0,
    entityId: (event) =>
      isForeign ? foreignEntityId(epoch, machineId, seqOf(event)) : `${epoch}/${machineId}/${seqOf(event)}`,
    signals: [...bySignal].map(([signal, column]): SignalReadings => ({ signal, ...column })),
  };
}
