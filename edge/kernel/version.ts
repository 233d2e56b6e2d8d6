import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Of this Tailstock, as its package.json says it. */
export function tailstockVersion(): string {
  const manifest = readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
