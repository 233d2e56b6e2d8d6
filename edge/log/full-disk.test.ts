import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { smallDiskObstacle, withSmallDisk } from "../../test/support/small-disk.ts";

// Goal: a disk that is full at whatever byte refuses, loses nothing and gives no number twice, and the same process goes on
// when there is room. Method: a real disk of a few megabytes with exactly k KiB free, k in steps of one page.

const child = join(import.meta.dirname, "..", "..", "test", "support", "full-disk-child.ts");
const DISK_BYTES = 64 << 20;
/** Up to the first k with which everything succeeds. */
const KIB_MAX = 2_400;
const KIB_FINE = 64;

/** A soak sets this to 4; by default only the first ones are a page apart. */
const KIB_STEP = Number(process.env.TAILSTOCK_FULL_DISK_STEP_KIB ?? 192);

const sizes = [
  ...Array.from({ length: KIB_FINE / 4 }, (_, i) => i * 4),
  ...Array.from({ length: Math.ceil((KIB_MAX - KIB_FINE) / KIB_STEP) }, (_, i) => KIB_FINE + i * KIB_STEP),
  KIB_MAX,
];

describe.skipIf(smallDiskObstacle() !== undefined)("a full disk", () => {
  test("L14 L25 L27 P06 at every page that may be the last: refused as LOG_FULL or done, readable, healed by room", async () => {
    const runs = Array.from({ length: Math.ceil(sizes.length / 12) }, (_, i) => sizes.slice(i * 12, i * 12 + 12));
    let refusals = 0;
    for (const run of runs) {
      const [found] = await withSmallDisk(DISK_BYTES, child, ["work", ...run.map(String)], 150_000);
      for (const { freeKib, refused, healed, faults } of found as {
        freeKib: number;
        refused: string[];
        healed: string;
        faults: string[];
      }[]) {
        expect({ freeKib, faults, healed, refused: refused.filter((code) => code !== "LOG_FULL") }).toEqual({
          freeKib,
          faults: [],
          healed: "fine",
          refused: [],
        });
        refusals += refused.length;
        if (freeKib === 0) expect(refused.length).toBeGreaterThan(0);
        if (freeKib === KIB_MAX) expect(refused).toEqual([]);
      }
    }
    expect(refusals).toBeGreaterThan(20);
  }, 600_000);

  test("L27 P06 collection goes on in memory while the disk is full, and what memory could not hold is told exactly", async () => {
    const [found] = await withSmallDisk(DISK_BYTES, child, ["recorder"]);
    expect(found).toEqual({
      isRefused: true,
      isAscending: true,
      isLossTold: true,
      causes: ["overflow"],
      isSpanRight: true,
      seqs: true,
    });
  });

  test("L05 L27 a commit refused for want of an index may come back after a crash, and its numbers are never another's", async () => {
    const [found] = await withSmallDisk(DISK_BYTES, child, ["index"]);
    expect(found).toEqual({
      indexBytes: 32_768,
      refused: "LOG_FULL",
      isHidden: true,
      back: 1,
      nextAfterCrash: 2,
      isWholeAfterCrash: true,
      next: 1,
      isReplaced: true,
      isOne: true,
    });
  });
});
