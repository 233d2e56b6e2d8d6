import { parseArgs } from "node:util";
import { type Row, runSections } from "./run-sections.ts";
import { cost } from "./uplink-sections/cost.ts";
import { drain } from "./uplink-sections/drain.ts";
import type { SectionOptions } from "./uplink-sections/fixture.ts";
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
  await runSections("uplink", Object.keys(SECTIONS), values.only, 32, async (name) => {
    const section = SECTIONS[name];
    if (section === undefined) return [];
    return section({
      repeat: Number(values.repeat),
      readings: Number(values.readings),
      seconds: Number(values.seconds),
    });
  });
}
