export type Row = readonly [what: string, value: string, note: string];

/**
 * Runs the sections of a bench, or the only one wanted, and prints the rows of each.
 * @param work runs the section of that name
 * @param width of the column of values
 */
export async function runSections(
  bench: string,
  names: readonly string[],
  only: string | undefined,
  width: number,
  work: (name: string) => Promise<readonly Row[]>,
): Promise<void> {
  if (only !== undefined && !names.includes(only)) {
    throw new Error(`--only ${only}: expected one of ${names.join(", ")}`);
  }
  for (const name of names) {
    if (only !== undefined && only !== name) continue;
    const rows = await work(name);
    process.stdout.write(`${bench}, ${name}\n`);
    for (const [what, value, note] of rows)
      process.stdout.write(`  ${what.padEnd(32)} ${value.padEnd(width)} ${note}\n`);
  }
}
