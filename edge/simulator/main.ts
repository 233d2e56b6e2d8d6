/**
 * The factory as a process of its own:
 *   node edge/simulator/main.ts [--seed 1] [--opcua-port 0] [--modbus-port 0] [--control-port 0] [--time-scale 1]
 *     [--tick-ms 250] [--mills 5] [--lathes 3] [--presses 4] [--site redmond] [--truth FILE] [--pki FOLDER]
 *     [--schedule FILE]
 * Prints one JSON line {opcua, modbus, control, pid} when ready; ends within 3 s on SIGTERM, SIGINT or when stdin closes.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Value } from "typebox/value";
import { printReady, untilAskedToEnd } from "../kernel/child.ts";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import { keepStdoutClean } from "./child.ts";
import { startControl } from "./control.ts";
import { createFactory } from "./factory.ts";
import { type ScheduledFault, ScheduleSchema } from "./fault.ts";

/** Whatever hangs at the end, the process does not. */
const END_MS_MAX = 3_000;

async function main(): Promise<void> {
  keepStdoutClean();
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      seed: text,
      "opcua-port": text,
      "modbus-port": text,
      "control-port": text,
      "time-scale": text,
      "tick-ms": text,
      mills: text,
      lathes: text,
      presses: text,
      truth: text,
      pki: text,
      site: text,
      schedule: text,
    },
  });
  const number = (name: keyof typeof values, fallback: number): number => {
    const given = values[name];
    const parsed = given === undefined ? fallback : Number(given);
    if (given !== "" && Number.isFinite(parsed)) return parsed;
    throw new EdgeError("USAGE", `--${name} is "${given}", expected a number.`);
  };
  const factory = createFactory({
    seed: number("seed", 1),
    opcuaPort: number("opcua-port", 0),
    modbusPort: number("modbus-port", 0),
    timeScale: number("time-scale", 1),
    tickMs: number("tick-ms", 250),
    mills: number("mills", 5),
    lathes: number("lathes", 3),
    presses: number("presses", 4),
    ...(values.truth === undefined ? {} : { truthPath: values.truth }),
    ...(values.pki === undefined ? {} : { pkiPath: values.pki }),
    ...(values.site === undefined ? {} : { site: values.site }),
    ...(values.schedule === undefined ? {} : { schedule: readSchedule(values.schedule) }),
    onError: (error) => console.error(messageOf(error)),
  });
  const asked = untilAskedToEnd();
  await factory.start();
  const control = await startControl(factory, number("control-port", 0));
  printReady({
    opcua: factory.opcuaEndpointUrl,
    modbus: `modbus+tcp://127.0.0.1:${factory.modbusPort}`,
    control: control.url,
    pid: process.pid,
  });
  await asked;
  setTimeout(() => process.exit(0), END_MS_MAX - 100).unref();
  await Promise.all([control[Symbol.asyncDispose](), factory.stop()]);
  process.exit(0);
}

/** @throws EdgeError USAGE when the file is no list of faults with afterMs */
function readSchedule(path: string): ScheduledFault[] {
  try {
    const schedule: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (Value.Check(ScheduleSchema, schedule)) return schedule as ScheduledFault[];
    const [first] = Value.Errors(ScheduleSchema, schedule);
    throw new Error(`${first?.instancePath} ${first?.message}`);
  } catch (error) {
    throw new EdgeError("USAGE", `${path} is no schedule of faults: ${messageOf(error)}`, {
      cause: error,
      hint: 'Expected [{"afterMs": 60000, "kind": "spike", "machineId": "mill-01", "durationMs": 3000}, …].',
    });
  }
}

main().catch((error: unknown) => {
  console.error(messageOf(error));
  if (error instanceof EdgeError && error.hint !== undefined) console.error(error.hint);
  process.exit(1);
});
