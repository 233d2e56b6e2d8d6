import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { SlowFirst } from "./test/support/slow-first.ts";

// The tests start hundreds of processes of our programs; each of them would compile the same files again.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, ".runtime", "compile-cache");

// Four files at a time, two cores or not: the tests drive real servers on real sockets, and most of their time is waiting.
export default defineConfig({
  test: {
    include: ["edge/**/*.test.ts", "cloud-sync/**/*.test.ts", "modules/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 4,
    sequence: { sequencer: SlowFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default"],
  },
});
