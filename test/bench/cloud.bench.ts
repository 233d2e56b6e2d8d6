import { parseArgs } from "node:util";
import { catchUp } from "./cloud-sections/catch-up.ts";
import { company } from "./cloud-sections/company.ts";
import { cosmosRows } from "./cloud-sections/cosmos-units.ts";
import { lake } from "./cloud-sections/lake.ts";
import { office } from "./cloud-sections/office.ts";
import { type Row, runSections } from "./run-sections.ts";

interface Options {
  readonly minutes: number;
  readonly cells: number;
  readonly latencyMs: number;
  readonly readings: number;
}

const SECTIONS: Readonly<Record<string, (options: Options) => Promise<Row[]>>> = {
  company,
  "catch-up": catchUp,
  office,
  lake,
  cosmos: cosmosRows,
};

/** The cloud side: the whole company on one machine, catching up, the office's queries, Cosmos DB's units. `--only NAME` for one. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      minutes: { type: "string", default: "10" },
      cells: { type: "string", default: "100" },
      "latency-ms": { type: "string", default: "2000" },
      readings: { type: "string", default: "60000000" },
    },
  });
  await runSections("cloud", Object.keys(SECTIONS), values.only, 24, async (name) => {
    const section = SECTIONS[name];
    if (section === undefined) return [];
    return section({
      minutes: Number(values.minutes),
      cells: Number(values.cells),
      latencyMs: Number(values["latency-ms"]),
      readings: Number(values.readings),
    });
  });
}
