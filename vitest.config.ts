import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { SlowFirst } from "./test/support/slow-first.ts";

// The tests start hundreds of processes of our programs; each of them would compile the same files again.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, ".runtime", "compile-cache");

// Two files at a time: the tests drive real servers on real sockets and share two cores, and some of them promise a delay.
export default defineConfig({
  test: {
    include: [
      "edge/**/*.test.ts",
      "cloud-sync/**/*.test.ts",
      "models/**/*.test.ts",
      "modules/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    globalSetup: ["test/support/postgres-server.ts"],
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: SlowFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default"],
  },
});
