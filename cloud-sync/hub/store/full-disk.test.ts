import { join } from "node:path";
import { expect, test } from "vitest";
import { smallDiskObstacle, withSmallDisk } from "../../../test/support/small-disk.ts";

const child = join(import.meta.dirname, "..", "..", "..", "test", "support", "full-hub-child.ts");

test.skipIf(smallDiskObstacle() !== undefined)(
  "a full disk refuses every event that it can't keep, loses none that it acknowledged, and goes on when there is room",
  async () => {
    const [found] = await withSmallDisk(32 << 20, child);
    const { whenFull, whenHealed, reopened, sent } = found as {
      sent: number;
      whenFull: { acknowledged: number; refusals: string[]; faults: string[] };
      whenHealed: { refusals: string[]; faults: string[] };
      reopened: { faults: string[]; all: boolean };
    };
    expect(whenFull).toMatchObject({ refusals: ["ServiceUnavailable"], faults: [] });
    expect(whenFull.acknowledged).toBeGreaterThanOrEqual(50);
    expect(whenFull.acknowledged).toBeLessThan(sent - 50);
    expect(whenHealed).toEqual({ refusals: [], faults: [] });
    expect(reopened).toEqual({ faults: [], all: true });
  },
);
