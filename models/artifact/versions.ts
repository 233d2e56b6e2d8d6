/** Positive when a is newer than b: compared part by part as numbers, 1.10.0 is newer than 1.9.2. Parts that are no numbers count as 0. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [partsOf(a), partsOf(b)];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function partsOf(version: string): number[] {
  return version
    .slice(0, 64)
    .split(".")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : 0));
}
