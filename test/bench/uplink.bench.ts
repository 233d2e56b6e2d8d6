import { parseArgs } from "node:util";
import { cost } from "./uplink-sections/cost.ts";
import { drain } from "./uplink-sections/drain.ts";
import type { Row, SectionOptions } from "./uplink-sections/fixture.ts";
import { hub } from "./uplink-sections/hub.ts";

const SECTIONS: Readonly<Record<string, (options: SectionOptions) => Promise<Row[]>>> = { cost, drain, hub };
/** A tenth of 72 hours of 10,000 signals at 1 Hz. */
const DRAIN_READINGS = 259_200_000;

/** The line to the cloud: units a day and latency, the drain of a backlog, the local hub. `--only NAME` for one. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      repeat: { type: "string", default: "3" },
      readings: { type: "string", default: String(DRAIN_READINGS) },
      seconds: { type: "string", default: "60" },
    },
  });
  const { only } = values;
  if (only !== undefined && SECTIONS[only] === undefined) {
    throw new Error(`--only ${only}: expected one of ${Object.keys(SECTIONS).join(", ")}`);
  }
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (only !== undefined && only !== name) continue;
    const rows = await section({
      repeat: Number(values.repeat),
      readings: Number(values.readings),
      seconds: Number(values.seconds),
    });
    process.stdout.write(`uplink, ${name}\n`);
    for (const [what, value, note] of rows) process.stdout.write(`  ${what.padEnd(32)} ${value.padEnd(32)} ${note}\n`);
  }
}
