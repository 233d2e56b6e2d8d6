import { existsSync } from "node:fs";
import { join } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that take ten seconds and more, about the longest first: begun last, one of them would keep everybody waiting.
 * The third promises a delay, and stands beside two that need the processor least.
 */
const SLOW = [
  "test/simulation/cloud.test.ts",
  "test/simulation/uplink.test.ts",
  "modules/uplink.test.ts",
  "cloud-sync/uplink/line-return.test.ts",
  "test/e2e/line-cut.test.ts",
  "edge/log/full-disk.test.ts",
  "edge/cli/demo.test.ts",
  "edge/drivers/opcua/faults.test.ts",
  "edge/drivers/modbus/faults.test.ts",
  "test/e2e/edge.test.ts",
  "test/e2e/office.test.ts",
  "edge/log/log-processes.test.ts",
  "edge/log/shedding.test.ts",
  "edge/drivers/opcua/publisher.test.ts",
  "edge/simulator/opcua-line.test.ts",
  "edge/simulator/main.test.ts",
  "cloud-sync/uplink/link/link-faults.test.ts",
  "edge/log/killed.test.ts",
  "edge/log/model.test.ts",
  "test/e2e/launcher.test.ts",
  "edge/cli/uplink.test.ts",
  "edge/cli/log-recovery.test.ts",
];
const ROOT = join(import.meta.dirname, "..", "..");

/** The order in which vitest begins the files: the slow ones, then the others in its own order. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = SLOW.filter((path) => !existsSync(join(ROOT, path)));
    if (gone.length > 0) throw new Error(`test/support/slow-first.ts names files that are gone: ${gone.join(", ")}`);
    const place = new Map(SLOW.map((path, index) => [join(ROOT, path), index]));
    const placeOf = ({ moduleId }: TestSpecification): number => place.get(moduleId) ?? SLOW.length;
    return (await super.sort(files)).sort((a, b) => placeOf(a) - placeOf(b));
  }
}
