import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { SlowFirst } from "./test/support/slow-first.ts";

// The tests start hundreds of processes of our programs; each of them would compile the same files again.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, ".runtime", "compile-cache");

// Three files at a time for two cores: the tests drive real servers on real sockets and wait for half of their time; with
// four, what promises a delay has to share its core with too many.
export default defineConfig({
  test: {
    include: ["edge/**/*.test.ts", "cloud-sync/**/*.test.ts", "modules/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default"],
  },
});
