import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of the test's own, removed when the test ends. One that runs beside others gives its context's `onTestFinished`. */
export function tempFolder(onEnd: typeof onTestFinished = onTestFinished): string {
  const path = mkdtempSync(join(tmpdir(), "tailstock-test-"));
  // Root's embedded database runs as somebody else, who must get in.
  chmodSync(path, 0o755);
  onEnd(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
