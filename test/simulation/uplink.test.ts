import { expect, test } from "vitest";
import { tempFolder } from "../support/temp-folder.ts";
import { FAULT_KINDS } from "./faults.ts";
import { simulate } from "./simulate.ts";

// Goal: whatever happens to the line, the processes and the clocks, the office has in the end every event exactly once, whole
// and in each machine's order, and both sides' ledgers agree.
// Method: real processes through a relay, faults (faults.ts) drawn from a seed. For hours, with another seed:
//   TAILSTOCK_SIMULATE_MINUTES=120 TAILSTOCK_SIMULATE_SEED=$RANDOM npx vitest run test/simulation
const MINUTES = Number(process.env.TAILSTOCK_SIMULATE_MINUTES ?? 1);
const SEED = Number(process.env.TAILSTOCK_SIMULATE_SEED ?? 20_261);
const ENDING_MS = 150_000;

test(`P08 P28 faults of seed ${SEED}: the office has every event exactly once and the ledgers agree`, {
  timeout: MINUTES * 60_000 + ENDING_MS,
}, async () => {
  const result = await simulate(tempFolder(), SEED, MINUTES * 60_000);
  expect(result.faults.slice(0, 20)).toEqual([]);
  expect(result.events).toBeGreaterThan(MINUTES * 500);
  expect([...result.kinds].sort()).toEqual([...FAULT_KINDS].sort());
  // Answers were lost and processes killed: had nothing come twice, the faults would not have hit.
  expect(result.duplicates).toBeGreaterThan(0);
});
