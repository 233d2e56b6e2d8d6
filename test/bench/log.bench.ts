import { parseArgs } from "node:util";
import { backlog } from "./log-sections/backlog.ts";
import type { SectionOptions } from "./log-sections/section.ts";
import { size } from "./log-sections/size.ts";
import { throughput } from "./log-sections/throughput.ts";
import { trend } from "./log-sections/trend.ts";
import { wear } from "./log-sections/wear.ts";
import { type Row, runSections } from "./run-sections.ts";

const SECTIONS: Readonly<Record<string, (options: SectionOptions) => Promise<Row[]>>> = {
  throughput,
  size,
  wear,
  backlog,
  trend,
};

/** The log by itself, without drivers: how fast, how small, how hard on the disk, how fast back. `--only NAME` for one. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      repeat: { type: "string", default: "3" },
      readings: { type: "string" },
      minutes: { type: "string" },
      machines: { type: "string", default: "100" },
    },
  });
  await runSections("log", Object.keys(SECTIONS), values.only, 44, async (name) => {
    const section = SECTIONS[name];
    if (section === undefined) return [];
    return section({
      repeat: Number(values.repeat),
      readings: Number(values.readings ?? (name === "backlog" ? 10_000_000 : 5_000_000)),
      // Sizes hold all events in memory for the other encodings; wear must see several rounds of sealing.
      minutes: Number(values.minutes ?? (name === "size" ? 5 : 20)),
      machines: Number(values.machines),
    });
  });
}
