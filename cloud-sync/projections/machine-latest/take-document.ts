import type { DecodedBlock, DecodedColumn } from "../../contract/block/decoded-block.ts";
import type { StoredEvent } from "../../contract/event.ts";
import type { SampleValue } from "../../contract/sample.ts";
import type { TelemetryDocument } from "../../store/telemetry-document.ts";
import { jsonLiteral } from "../sql/literals.ts";
import type { EpochState } from "./epoch-state.ts";

/**
 * Whether a document tells of its own machine what it measured, does, or is: others (alarms, what the box says of itself) make no row,
 * and change none. It is each event that tells or does not: in which documents they came together is chance.
 */
export function tellsOfMachine(document: TelemetryDocument): boolean {
  const rare = document.rareEvents();
  return document.fields.events > rare.length || rare.some(isFact);
}

function isFact({ type, data }: StoredEvent): boolean {
  if (type === "state") return typeof data.state === "string";
  return type === "config" && (data.kind === "machine" || data.kind === "removed");
}

/** Takes what a document tells of its own machine. @throws BlockError, FrameError when it is damaged */
export function takeDocument(state: EpochState, document: TelemetryDocument): void {
  const { block, fields } = document;
  if (block === undefined) {
    for (const event of document.events()) takeEvent(state, event, document);
    return;
  }
  const { firstSeq } = block.head;
  const rare = document.rareEvents();
  const lastSeq = lastThatTells(document, firstSeq, rare);
  if (lastSeq === undefined) return;
  state.sawEvent(lastSeq, block.eventTimes()[lastSeq - firstSeq] ?? fields.toMs, fields);
  for (const event of rare) takeRare(state, event);
  takeColumns(state, block, firstSeq, document.counts);
}

function lastThatTells(
  { fields, counts }: TelemetryDocument,
  firstSeq: number,
  rare: readonly StoredEvent[],
): number | undefined {
  const silent = new Set(rare.filter((event) => !isFact(event)).map(({ seq }) => seq));
  for (let seq = fields.lastSeq; seq >= fields.firstSeq; seq--)
    if (!silent.has(seq) && (counts === undefined || counts(seq - firstSeq))) return seq;
  return undefined;
}

function takeColumns(
  state: EpochState,
  block: DecodedBlock,
  firstSeq: number,
  counts: ((eventIndex: number) => boolean) | undefined,
): void {
  const { indexByName } = state.set;
  for (const name of block.signals) {
    const index = indexByName.get(name);
    if (index === undefined) continue;
    const column = block.column(name);
    if (column === undefined) continue;
    const { eventIndex } = column;
    let at = eventIndex.length - 1;
    if (counts !== undefined) while (at >= 0 && !counts(eventIndex[at] as number)) at--;
    if (at < 0) continue;
    const seq = firstSeq + (eventIndex[at] as number);
    if (seq < (state.seqs[index] as number)) continue;
    state.seqs[index] = seq;
    state.statusCodes[index] = column.statusCodes[at] as number;
    state.sourceMs[index] = column.sourceMs[at] as number;
    state.receivedMs[index] = column.receivedMs[at] as number;
    takeValue(state, index, column, at);
  }
}

function takeValue(state: EpochState, index: number, column: DecodedColumn, at: number): void {
  const number = column.numbers[at] as number;
  state.numbers[index] = number;
  if (column.isNumeric || !Number.isNaN(number)) state.texts[index] = null;
  else takeOther(state, index, column.values()[at] as SampleValue);
}

function takeOther(state: EpochState, index: number, value: SampleValue): void {
  const isNumber = typeof value === "number" || typeof value === "bigint";
  state.numbers[index] = isNumber ? Number(value) : Number.NaN;
  state.texts[index] = isNumber ? null : jsonLiteral(value);
}

function takeEvent(state: EpochState, event: StoredEvent, { fields }: TelemetryDocument): void {
  if (event.type !== "telemetry" && !isFact(event)) return;
  state.sawEvent(event.seq, event.timeMs, fields);
  if (event.type !== "telemetry") {
    takeRare(state, event);
    return;
  }
  for (const sample of event.data.samples) {
    const index = state.set.indexByName.get(sample.signal);
    if (index === undefined || event.seq < (state.seqs[index] as number)) continue;
    state.seqs[index] = event.seq;
    state.statusCodes[index] = sample.statusCode;
    state.sourceMs[index] = sample.sourceTimestampMs ?? Number.NaN;
    state.receivedMs[index] = sample.receivedTimestampMs;
    takeOther(state, index, sample.value);
  }
}

function takeRare(state: EpochState, { type, seq, timeMs, data }: StoredEvent): void {
  if (type === "state" && typeof data.state === "string") state.sawState(seq, timeMs, data.state);
  if (type === "config" && (data.kind === "machine" || data.kind === "removed"))
    state.sawConfig(
      seq,
      timeMs,
      data.kind === "removed" ? null : { typeName: data.typeName, infoJson: jsonLiteral(data.signals) },
    );
}
