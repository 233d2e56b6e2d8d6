import { defineConfig } from "vitest/config";

// Files run one after another on two workers at most: the tests drive real servers on real sockets and share two cores.
export default defineConfig({
  test: {
    include: ["edge/**/*.test.ts", "cloud-sync/**/*.test.ts", "modules/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default"],
  },
});
