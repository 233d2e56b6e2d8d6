import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { EventType, NewEvent, StoredEvent } from "../../cloud-sync/contract/event.ts";
import { noiseOf } from "../../test/support/events.ts";
import { everyEvent, ledgerFaultsOf } from "../../test/support/log-checks.ts";
import { LogModel } from "../../test/support/log-model.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { openLog, type SqliteLog } from "./log.ts";
import { openLogReader } from "./reader.ts";

// Goal: what a full quota takes is what it should, in the order that it should, and every reading of it is told once.
// Method: random appends of noise, which does not compress, against a quota of a few blocks; a model of all that was appended.

const RUNS = Number(process.env.TAILSTOCK_MODEL_RUNS ?? 6);
const MACHINES = ["redmond/mill-01", "redmond/mill-02"];
const QUOTA_BYTES = 3 << 20;
const RARE_TYPES: readonly EventType[] = ["alarm", "prediction", "anomaly", "state"];
const START_MS = 1_780_000_000_000;

function samplesOf(event: StoredEvent): number {
  return event.type === "telemetry" ? event.data.samples.length : 0;
}

let lossesSeen = 0;

class Rig {
  readonly #path = join(tempFolder(), `${crypto.randomUUID()}.db`);
  readonly #forwardedBy: string | undefined;
  readonly clock = new ManualClock(START_MS);
  readonly model: LogModel;
  log: SqliteLog;
  readonly reader;
  #forwarded = 0;

  constructor(isForwarding: boolean) {
    this.#forwardedBy = isForwarding ? "uplink" : undefined;
    this.log = this.#open();
    this.reader = openLogReader(this.#path);
    this.model = new LogModel(this.log.epoch);
  }

  #open(): SqliteLog {
    return openLog({
      path: this.#path,
      clock: this.clock,
      quotaBytes: QUOTA_BYTES,
      diskReserveBytes: 0,
      ...(this.#forwardedBy && { forwardedBy: this.#forwardedBy }),
    });
  }

  close(): void {
    this.reader.close();
    this.log.close();
  }

  restart(): void {
    this.log.close();
    this.log = this.#open();
  }

  async append(events: readonly NewEvent[]): Promise<void> {
    await this.log.append(events, "now");
    this.model.append(events);
  }

  forward(share: number): void {
    this.#forwarded = Math.max(this.#forwarded, Math.floor(share * this.model.head()));
    this.log.saveCursor("uplink", this.#forwarded);
  }

  /** Work until there is none; what the log told by itself joins the model. */
  maintain(): void {
    this.log.seal();
    while (this.log.maintain());
    const told = this.log.readAfter(this.model.head(), { limitEvents: 10_000 });
    lossesSeen += told.length;
    for (const { type, machineId, timeMs, data } of told) {
      expect(type).toBe("gap");
      this.model.append([{ type, machineId, timeMs, data } as NewEvent]);
    }
    this.check();
  }

  check(): void {
    const { log, model } = this;
    const here = everyEvent(log);
    const isHere = new Set(here.map(({ offset }) => offset));
    // What is there is what was appended, in its order, each once; to another process as well, whatever it had read before.
    expect(here.every((event, i) => i === 0 || event.offset > (here[i - 1]?.offset ?? 0))).toBe(true);
    for (const event of here) {
      const appended = model.events[event.offset - 1];
      if (!isDeepStrictEqual(event, appended)) expect(event).toEqual(appended);
    }
    expect(everyEvent(this.reader, undefined, 37).map(({ offset }) => offset)).toEqual([...isHere]);
    const missing = model.events.filter(({ offset }) => !isHere.has(offset));
    const lost = this.#forwardedBy === undefined ? missing : missing.filter(({ offset }) => offset > this.#forwarded);
    const isTelemetryHere = here.some((event) => samplesOf(event) > 0);
    for (const event of lost) if (isTelemetryHere) expect(event.type).toBe("telemetry");
    for (const machineId of MACHINES) this.#checkMachine(machineId, here, lost, missing);
    expect(ledgerFaultsOf(log)).toEqual([]);
    const { usedBytes } = log.usage();
    expect(usedBytes).toBeLessThanOrEqual(QUOTA_BYTES);
  }

  #checkMachine(machineId: string, here: StoredEvent[], lost: StoredEvent[], missing: StoredEvent[]): void {
    const own = (events: readonly StoredEvent[]) => events.filter((event) => event.machineId === machineId);
    // Every reading that is gone has been told, once; a block may have been thinned before the cloud took what was left.
    const told = this.model.events.flatMap((event) => (own([event])[0]?.type === "gap" ? [event.data] : []));
    const samplesTold = told.reduce((sum, data) => sum + ("samples" in data ? Number(data.samples) : 0), 0);
    const samplesMissing = (events: StoredEvent[]) => own(events).reduce((sum, event) => sum + samplesOf(event), 0);
    if (this.#forwardedBy === undefined) expect(samplesTold).toBe(samplesMissing(lost));
    else {
      expect(samplesTold).toBeGreaterThanOrEqual(samplesMissing(lost));
      expect(samplesTold).toBeLessThanOrEqual(samplesMissing(missing));
    }
    for (const event of own(lost)) {
      const isTold = told.some(
        (data) => "cause" in data && Number(data.firstSeq) <= event.seq && event.seq <= Number(data.lastSeq),
      );
      if (samplesOf(event) > 0) expect(isTold).toBe(true);
    }
    // Reads by stream, by time and of rare kinds find the same as a read of all, page by page.
    for (const log of [this.log, this.reader]) {
      const byStream: number[] = [];
      for (let seq = 0; ; seq = byStream.at(-1) ?? 0) {
        const page = log.readStream(machineId, seq, { limitEvents: 41 });
        if (page.length === 0) break;
        byStream.push(...page.map((event) => event.seq));
      }
      expect(byStream).toEqual(own(here).map(({ seq }) => seq));
      const byTime: number[] = [];
      for (let afterSeq = 0; ; afterSeq = byTime.at(-1) ?? 0) {
        const page = log.readTime(machineId, 0, 9e15, { limitEvents: 43, afterSeq });
        if (page.length === 0) break;
        byTime.push(...page.map((event) => event.seq));
      }
      expect(byTime).toEqual(byStream);
      const rare = own(everyEvent(log, RARE_TYPES, 5));
      expect(rare).toEqual(own(here).filter(({ type }) => RARE_TYPES.includes(type)));
    }
  }
}

const anyStep = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      machine: fc.nat(1),
      events: fc.constantFrom(20, 500, 1_300),
      rare: fc.subarray([...RARE_TYPES]),
    }),
  },
  { weight: 2, arbitrary: fc.constant("maintain" as const) },
  fc.constant("restart" as const),
  fc.record({ forward: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

test("L18 L19 L20 a full quota takes telemetry before anything else, tells each reading that goes, and the ledger stays whole", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 8, maxLength: 25 }), fc.boolean(), async (steps, isForwarding) => {
      const rig = new Rig(isForwarding);
      try {
        let timeMs = START_MS;
        for (const step of steps) {
          if (step === "maintain") rig.maintain();
          else if (step === "restart") rig.restart();
          else if ("forward" in step) rig.forward(step.forward);
          else {
            const machineId = MACHINES[step.machine] as string;
            const rare = step.rare.map(
              (type): NewEvent => ({ type, machineId, timeMs, data: { n: timeMs } }) as NewEvent,
            );
            await rig.append([...noiseOf(machineId, step.events, 100, timeMs), ...rare]);
            timeMs += step.events * 500;
          }
        }
        rig.maintain();
      } finally {
        rig.close();
      }
    }),
    { numRuns: RUNS },
  );
  // Otherwise the quota was never reached, and nothing was proved.
  expect(lossesSeen).toBeGreaterThan(0);
});
