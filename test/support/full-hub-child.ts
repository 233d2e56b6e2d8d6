import { join } from "node:path";
import { pino } from "pino";
import { HubError } from "../../cloud-sync/hub/hub-error.ts";
import { SqliteEventLog } from "../../cloud-sync/hub/store/event-log.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { fillUntilFree, releaseDisk } from "./fill-disk.ts";

// The hub's events on a small disk, which is filled under them. Prints what was acknowledged, refused and found.
const [folder = ""] = process.argv.slice(2);
const open = (): SqliteEventLog =>
  new SqliteEventLog({
    path: join(folder, "events.db"),
    partitions: 1,
    retention: { ageMsMax: 1e12, bytesMax: 1e12 },
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
const acknowledged: number[] = [];
const refusals = new Set<string>();
let sent = 0;

async function send(log: SqliteEventLog, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, () => sent++);
  const append = async (n: number): Promise<void> => {
    const body = Buffer.alloc(3_000);
    body.writeUInt32BE(n);
    try {
      await log.append({ source: { deviceId: "d" }, body, properties: {}, system: {}, messageSource: "Telemetry" });
      acknowledged.push(n);
    } catch (error) {
      refusals.add(error instanceof HubError ? error.code : String(error));
    }
  };
  await Promise.all(numbers.map(append));
}

function faultsOf(log: SqliteEventLog): string[] {
  const events = log.read(0, 0, { events: 1e6, bytes: 1e9 });
  const there = new Set(events.map(({ body }) => body.readUInt32BE()));
  return [
    ...(events.every(({ sequenceNumber }, i) => sequenceNumber === i) ? [] : ["a hole, or a number given out twice"]),
    ...acknowledged.filter((n) => !there.has(n)).map((n) => `${n} was acknowledged and is lost`),
    ...(there.size === events.length ? [] : ["an event is there twice"]),
  ];
}

const log = open();
await send(log, 50);
fillUntilFree(folder, 256 * 1_024);
for (let n = 0; n < 40; n++) await send(log, 20);
const whenFull = { acknowledged: acknowledged.length, refusals: [...refusals], faults: faultsOf(log) };
releaseDisk(folder);
refusals.clear();
await send(log, 50);
const whenHealed = { refusals: [...refusals], faults: faultsOf(log) };
log.close();
const again = open();
const reopened = { faults: faultsOf(again), all: again.info(0).lastSequenceNumber + 1 >= acknowledged.length };
again.close();
process.stdout.write(`${JSON.stringify({ sent, whenFull, whenHealed, reopened })}\n`);
