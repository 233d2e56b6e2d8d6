import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeBlock } from "../../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import { encodeBundle } from "../../../cloud-sync/contract/frame/bundle.ts";
import { EVENTS_CONTENT_TYPE, encodeEvents } from "../../../cloud-sync/contract/frame/events-json.ts";
import { encodeFrame, FRAME_CONTENT_TYPE } from "../../../cloud-sync/contract/frame/frame.ts";
import { decodeMessage } from "../../../cloud-sync/contract/frame/message.ts";
import { tagged } from "../../../cloud-sync/contract/frame/tagged-json.ts";
import { RollupBuilder } from "../../../cloud-sync/contract/rollup/rollup-builder.ts";
import { polledFactory, stored, subscribedFactory } from "../../support/block-samples.ts";

// Makes golden messages that are not there yet, and never touches one that is: format version 1 is what these bytes are.
// node test/golden/frame/make.ts
const HASH = Uint8Array.from({ length: 16 }, (_, i) => 0xc0 + i);
const TIME_MS = 1_780_000_000_000;

type Run = readonly [StoredEvent, ...StoredEvent[]];
const runOf = (events: readonly StoredEvent[]): Run => events as unknown as Run;

function live(): Buffer {
  const alike = subscribedFactory(5).slice(0, 4).map(runOf);
  return encodeFrame([
    { kind: "bundle", bytes: encodeBundle(alike) },
    { kind: "bundle", bytes: encodeBundle([runOf(rare())]) },
  ]);
}

function storedBlocks(): Buffer {
  const blocks = polledFactory(8).slice(0, 2);
  return encodeFrame(blocks.map((events) => ({ kind: "block", bytes: encodeBlock(events, HASH) })));
}

function rollups(): Buffer {
  const builder = new RollupBuilder();
  for (let i = 0; i < 200; i++) builder.add(i % 3, TIME_MS + i * 1_000, i / 8, 0);
  const shared = { epoch: "0198a9c2-7f11-7000-8000-0123456789ab", firstSeq: 12, lastSeq: 211, samples: 600 };
  const names = ["temperature", "", "spindle.speed"];
  const first = { ...shared, machineId: "redmond/mill-01", firstOffset: 100, lastOffset: 900 };
  return encodeFrame([
    { kind: "rollup", rollup: { ...first, names, aggregates: builder.finish() } },
    { kind: "rollup", rollup: { ...first, machineId: "redmond/mill-02", names: [], aggregates: undefined } },
  ]);
}

function rare(): StoredEvent[] {
  return [
    stored("redmond/edge", 7, {
      type: "alarm",
      timeMs: TIME_MS,
      data: { source: "log", what: "$x", n: -0, deep: [1, null] },
    }),
    stored("redmond/edge", 8, {
      type: "gap",
      timeMs: TIME_MS + 0.25,
      causedBy: "epoch/redmond/edge/7",
      data: { cause: "overflow", samples: 12, fromMs: Number.NaN, toMs: TIME_MS, detail: "ö" },
    }),
    stored("redmond/edge", 9, { type: "telemetry", timeMs: TIME_MS + 1, data: { samples: bigSamples() } }),
  ];
}

function bigSamples() {
  const times = { sourceTimestampMs: null, serverTimestampMs: null, receivedTimestampMs: TIME_MS, statusCode: 0 };
  return [
    { signal: "big", value: 2n ** 63n, ...times },
    { signal: "text", value: "$5", ...times },
  ];
}

const messages: Readonly<Record<string, () => Buffer>> = {
  live,
  stored: storedBlocks,
  rollups,
  empty: () => encodeFrame([]),
  events: () => encodeEvents(rare().slice(0, 2), 100_000, "redmond").messages[0]?.body as Buffer,
};

for (const [name, make] of Object.entries(messages)) {
  const contentType = name === "events" ? EVENTS_CONTENT_TYPE : FRAME_CONTENT_TYPE;
  const path = join(import.meta.dirname, "v1", `${name}.message`);
  if (existsSync(path)) continue;
  const body = make();
  const { blocks, rollups: parts, events } = decodeMessage({ contentType, body });
  const json = {
    contentType,
    blocks: blocks.map(({ block, bytes }) => ({ isStored: bytes !== undefined, events: tagged(block.events()) })),
    rollups: parts.map((part) => ({
      ...part,
      aggregates: part.aggregates && Buffer.from(part.aggregates).toString("hex"),
    })),
    events: tagged(events),
  };
  writeFileSync(path, body);
  writeFileSync(path.replace(".message", ".json"), `${JSON.stringify(json)}\n`);
}
