import { setImmediate as nextTurn } from "node:timers/promises";
import type { Logger } from "pino";
import { messageOf } from "../../edge/kernel/errors.ts";
import type { StoredDocument } from "../store/event-store.ts";
import { readTelemetryDocument } from "../store/read-telemetry.ts";
import type { DocumentFields, TelemetryDocument } from "../store/telemetry-document.ts";
import type { BatchFiles } from "./batch-files.ts";
import { addEvents } from "./event-rows.ts";
import { addReadings, blockSource, eventsSource, type ReadingSource } from "./reading-rows.ts";
import { addRollup } from "./rollup-rows.ts";

const HOUR_MS = 3_600_000;
/** Readings of one machine that are decoded at once. A single block may have more (contract/block/limits.ts). */
const DECODED_SAMPLES_MAX = 500_000;

/**
 * Writes what documents of the feed hold: by factory, machine, hour, signal, time, so that a machine's hour lies together.
 * A document that can't be read is logged and left out: it stays in the store, where whoever repairs it writes it anew.
 */
export async function writeBatch(
  documents: readonly StoredDocument[],
  files: BatchFiles,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const byFactory = Map.groupBy(readable(documents, logger), ({ fields }) => fields.factoryId);
  for (const [factoryId, ofFactory] of sortedEntries(byFactory)) {
    const byMachine = Map.groupBy(ofFactory, ({ fields }) => fields.machineId);
    for (const [machineId, own] of sortedEntries(byMachine)) {
      for (const run of runsOf(own)) {
        signal.throwIfAborted();
        await writeRun(files, factoryId, machineId, run, logger);
      }
    }
    await files.endFactory();
  }
}

/** A document that is not decoded yet: what is decoded lives no longer than its run. */
interface Waiting {
  readonly document: StoredDocument;
  readonly fields: DocumentFields;
}

function readable(documents: readonly StoredDocument[], logger: Logger): Waiting[] {
  return documents.flatMap((document) => {
    try {
      return [{ document, fields: readTelemetryDocument(document).fields }];
    } catch (error) {
      tellUnreadable(logger, document.partition.stream, error);
      return [];
    }
  });
}

function tellUnreadable(logger: Logger, machineId: string, error: unknown): void {
  logger.warn({ machineId, reason: messageOf(error) }, "a document can't be read and is not in the lake");
}

async function writeRun(
  files: BatchFiles,
  factoryId: string,
  machineId: string,
  run: readonly Waiting[],
  logger: Logger,
): Promise<void> {
  const sources: ReadingSource[] = [];
  for (const waiting of run) {
    // Others in this process have their turn between two blocks.
    await nextTurn();
    const document = readTelemetryDocument(waiting.document);
    // All that can throw over a damaged body does so before the first of its rows is written.
    const content = contentOf(document, logger);
    if (content === undefined) continue;
    sources.push(...content.sources);
    await addEvents(files, factoryId, content.events);
    if (document.rollup !== undefined) await addRollup(files, factoryId, document.rollup);
  }
  await addReadings(files, factoryId, machineId, sources);
}

interface Content {
  readonly sources: readonly ReadingSource[];
  readonly events: ReturnType<TelemetryDocument["rareEvents"]>;
}

function contentOf(document: TelemetryDocument, logger: Logger): Content | undefined {
  try {
    const { block, rollup, fields } = document;
    if (rollup !== undefined) {
      rollup.content();
      return { sources: [], events: [] };
    }
    if (block === undefined) {
      const events = document.events();
      return { sources: [eventsSource(fields.epoch, events)], events };
    }
    for (const name of block.signals) block.column(name);
    return { sources: [blockSource(block, document.counts)], events: document.rareEvents() };
  } catch (error) {
    tellUnreadable(logger, document.fields.machineId, error);
    return undefined;
  }
}

/** A machine's documents by hour, cut where too much would be decoded at once. */
function* runsOf(documents: readonly Waiting[]): Generator<Waiting[], void, undefined> {
  const ordered = documents.toSorted(
    (a, b) => a.fields.fromMs - b.fields.fromMs || a.fields.firstSeq - b.fields.firstSeq,
  );
  let run: Waiting[] = [];
  let samples = 0;
  let hour: number | undefined;
  for (const document of ordered) {
    const { fields } = document;
    const own = Math.floor(fields.fromMs / HOUR_MS);
    if (run.length > 0 && (own !== hour || samples + fields.samples > DECODED_SAMPLES_MAX)) {
      yield run;
      run = [];
      samples = 0;
    }
    hour = own;
    run.push(document);
    samples += fields.samples;
  }
  if (run.length > 0) yield run;
}

function sortedEntries<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
