import { decodeBlock } from "../block/block.ts";
import { addEvent, BlockBuilder } from "../block/block-builder.ts";
import { ByteReader, ByteWriter } from "../block/bytes.ts";
import type { DecodedBlock } from "../block/decoded-block.ts";
import { EVENTS_MAX, RAW_BYTES_MAX } from "../block/limits.ts";
import { pack, unpack } from "../block/text-pack.ts";
import type { StoredEvent } from "../event.ts";
import { BundleRun } from "./bundle-run.ts";
import { FrameError, guardedFrame } from "./frame-error.ts";

/**
 * Fresh events of machines of one kind, encoded together: what one machine says in a few seconds is less than the names of its
 * signals, and machines that have the same signals share the names, and what a column learns of one helps with the next.
 *
 *   bundle   = packing u8, raw bytes varint, packed bytes varint, packed runs; then one block (block.ts) with the events of all
 *              runs behind each other, of stream epoch "", machine "", seq from 1 on
 *   runs     = number of runs varint, for each: epoch: its number among those named so far varint, a new one (number = how many there
 *              are) followed by its text; machine id text; first seq, number of events varint
 * Offsets, times, samples are those of the events. An entity id that the block does not tell is that of the event itself:
 * "epoch/machineId/seq" of its run. A run is of one epoch and machine, its seq without holes.
 */
const NO_HASH = new Uint8Array(16);
const RUNS_MAX = 65_535;

/** Events of one epoch and machine, seq ascending without holes. */
export type Run = readonly [StoredEvent, ...StoredEvent[]];

/**
 * @param runs those of alike machines behind each other take least
 * @throws FrameError limit when they do not fit into one block, malformed when they are no runs
 */
export function encodeBundle(runs: readonly Run[]): Buffer {
  return guardedFrame("the bundle", () => {
    const table = new ByteWriter(runs.length * 24);
    const epochs: string[] = [];
    const builder = new BlockBuilder({ epoch: "", machineId: "" });
    table.varint(runs.length);
    for (const run of runs) {
      const [{ epoch, machineId, seq }] = run;
      const known = epochs.indexOf(epoch);
      table.varint(known < 0 ? epochs.length : known);
      if (known < 0) {
        epochs.push(epoch);
        table.text(epoch);
      }
      table.text(machineId);
      table.varint(seq);
      table.varint(run.length);
      for (const [at, event] of run.entries()) {
        if (event.seq !== seq + at || event.epoch !== epoch || event.machineId !== machineId)
          throw new FrameError("malformed", `event ${event.machineId} ${event.seq} does not follow in its run`);
        add(builder, event);
      }
    }
    const packed = pack(table.take());
    const block = builder.finish(NO_HASH);
    const out = new ByteWriter(block.length + packed.bytes.length + 16);
    out.u8(packed.packing);
    out.varint(table.length);
    out.varint(packed.bytes.length);
    out.bytes(packed.bytes);
    out.bytes(block);
    return out.take();
  });
}

function add(builder: BlockBuilder, event: StoredEvent): void {
  const own = `${event.epoch}/${event.machineId}/${event.seq}`;
  const entityId = event.entityId === own ? null : event.entityId;
  const seq = builder.events + 1;
  if (entityId === `//${seq}`) throw new FrameError("malformed", `an entity named ${entityId}`);
  addEvent(builder, event, seq, entityId);
}

/**
 * A block for each run; what they hold is decoded when it is asked for.
 * @throws FrameError when the bytes are no bundle
 */
export function decodeBundle(bytes: Uint8Array): DecodedBlock[] {
  return guardedFrame("the bundle", () => {
    const input = new ByteReader(bytes);
    const packing = input.u8();
    const rawBytes = input.varint(RAW_BYTES_MAX);
    const packed = { packing, bytes: input.bytes(input.varint(RAW_BYTES_MAX)) };
    const table = new ByteReader(unpack(packed, rawBytes, { rawBytes: RAW_BYTES_MAX, elements: 0 }));
    const shared = decodeBlock(input.bytes(input.left));
    const epochs: string[] = [];
    const count = table.varint(RUNS_MAX);
    const runs: BundleRun[] = [];
    let firstEvent = 0;
    for (let i = 0; i < count; i++) {
      const number = table.varint(epochs.length);
      if (number === epochs.length) epochs.push(table.text());
      const machineId = table.text();
      const firstSeq = table.varint();
      const events = table.varint(EVENTS_MAX);
      if (events === 0 || !Number.isSafeInteger(firstSeq + events))
        throw new FrameError("malformed", `a run of ${events} events from ${firstSeq} on`);
      runs.push(new BundleRun(shared, { epoch: epochs[number] as string, machineId, firstSeq, firstEvent, events }));
      firstEvent += events;
    }
    table.end("the runs");
    if (firstEvent !== shared.head.events)
      throw new FrameError("malformed", `runs of ${firstEvent} events in a block of ${shared.head.events}`);
    return runs;
  });
}
