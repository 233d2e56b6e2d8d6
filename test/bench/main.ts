import { readdirSync } from "node:fs";

// `npm run bench -- NAME [options]`: every number that Tailstock claims is printed by one of these.
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.replace(".bench.ts", ""));
const [name, ...args] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  process.stderr.write(`usage: npm run bench -- NAME\n  NAME is one of: ${names.join(", ")}\n`);
  process.exit(2);
}
const bench = (await import(`./${name}.bench.ts`)) as { run(args: readonly string[]): Promise<void> };
await bench.run(args);
