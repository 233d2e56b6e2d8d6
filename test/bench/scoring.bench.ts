import { join } from "node:path";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { PageScorer } from "../../cloud-sync/scoring/page-scorer.ts";
import { loadScoringModels } from "../../cloud-sync/scoring/scoring-models.ts";
import { scoringRules } from "../../cloud-sync/scoring/scoring-rule.ts";
import { StreamState } from "../../cloud-sync/scoring/stream-state.ts";
import { readTelemetryDocument } from "../../cloud-sync/store/read-telemetry.ts";
import { MachineDetectors } from "../../models/anomaly/machine-detectors.ts";
import { normal, uniform } from "../support/block-samples.ts";
import { sampleOf } from "../support/events.ts";
import { blocksOf } from "../support/press-telemetry.ts";
import { ROOT } from "../support/source-tree.ts";

const MACHINES = 100;
const SIGNALS = 100;
const SECONDS = 300;
const BLOCK = 60;

/** `npm run bench -- scoring`: what scoring costs beside the rest of the cloud side, without store and database. */
export async function run(): Promise<void> {
  const models = await loadScoringModels(join(ROOT, "models"));
  const next = uniform(5);
  const detectors = new MachineDetectors(models.detectors);
  const slots = Array.from({ length: 10 }, (_, i) => detectors.slotOf(`s${i}`) ?? 0);
  const values = Float64Array.from({ length: 65_536 }, () => 55 + 2.4 * normal(next));
  const startMs = performance.now();
  const count = 2_000_000;
  for (let i = 0; i < count; i++)
    detectors.observe(slots[i % 10] as number, "s", i * 100, values[(i * 7) & 65_535] as number, 0);
  print(`detectors: ${(((performance.now() - startMs) * 1000) / count).toFixed(2)} µs a reading`);

  const documents = Array.from({ length: MACHINES }, (_, m) => blocksOf(machine(`redmond/press-${m}`, next), BLOCK));
  const states = documents.map(() => new StreamState(models));
  const rules = scoringRules();
  let [readings, scored, said, ms] = [0, 0, 0, 0];
  for (let at = 0; at < SECONDS / BLOCK; at++) {
    const fromMs = performance.now();
    const page = new PageScorer(models, rules);
    for (const [m, own] of documents.entries()) {
      const document = own[at];
      const state = states[m];
      if (document === undefined || state === undefined) continue;
      const partition = { stream: "", part: "" };
      page.take(readTelemetryDocument({ ...document, partition, etag: "", storedMs: 0 }), state);
      readings += BLOCK * SIGNALS;
    }
    said += page.results().length;
    scored += page.readings;
    ms += performance.now() - fromMs;
  }
  print(
    `${MACHINES} presses with ${SIGNALS} signals, ${SECONDS} s in blocks of ${BLOCK} s: ${readings} readings, ${scored} of them scored, ${said} events`,
  );
  print(`all of it (decoding, detectors, maintenance model): ${((ms * 1000) / scored).toFixed(2)} µs a scored reading`);
  print(
    `${Math.round((readings / ms) * 1000).toLocaleString("en")} readings/s arrive at most; at 50,000/s it takes ${((50_000 * ms) / readings / 10).toFixed(1)} % of a core`,
  );
}

function machine(machineId: string, next: () => number): StoredEvent[] {
  return Array.from({ length: SECONDS }, (_, i): StoredEvent => {
    const seq = i + 1;
    const timeMs = 1_780_000_000_000 + i * 1000;
    const times = { sourceTimestampMs: null, serverTimestampMs: null, receivedTimestampMs: timeMs };
    const samples = Array.from({ length: SIGNALS }, (_, s) => {
      if (s === 0) return sampleOf("machinePressure", Math.round(7539 + 14 * normal(next)), times);
      if (s === 1) return sampleOf("machineTemperature", Math.round((55 + 2.4 * normal(next)) * 10) / 10, times);
      return sampleOf(`signal${s}`, Math.round(100 * Math.sin((i + s) / 20)) / 10, times);
    });
    const identity = { epoch: "e", machineId, seq, offset: seq, timeMs, entityId: `e/${machineId}/${seq}` };
    return { ...identity, type: "telemetry", data: { samples } };
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
