export const SERIES_MAX = 8;
const UNIT = "\u001f";
const RECORD = "\u001e";

export interface SeriesKey {
  readonly machineId: string;
  readonly signal: string;
}

/** The chosen signals as they stand in the page's address. */
export function encodeChosen(chosen: readonly SeriesKey[]): string {
  return chosen.map(({ machineId, signal }) => `${machineId}${UNIT}${signal}`).join(RECORD);
}

export function decodeChosen(text: string | null): SeriesKey[] {
  return (text ?? "")
    .split(RECORD)
    .flatMap((pair) => {
      const [machineId, signal] = pair.split(UNIT);
      return machineId && signal ? [{ machineId, signal }] : [];
    })
    .slice(0, SERIES_MAX);
}

export function isSame(a: SeriesKey, b: SeriesKey): boolean {
  return a.machineId === b.machineId && a.signal === b.signal;
}
