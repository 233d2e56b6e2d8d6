const NONE = 0xffff_ffff;

/**
 * An order of the signals that most events follow: each is put behind the one that it followed when it was first seen.
 * @param signals of the samples, by event @param firstSample of each event, and one more
 * @returns the signals that have samples, and the place of each
 */
export function signalOrder(
  signals: Uint32Array,
  firstSample: Uint32Array,
  count: number,
): { refs: Uint32Array; placeOf: Uint32Array } {
  const next = new Uint32Array(count + 1).fill(NONE);
  const isPlaced = new Uint8Array(count);
  const head = count;
  let placed = 0;
  for (let t = 0; t + 1 < firstSample.length; t++) {
    let before = head;
    for (let i = firstSample[t] as number; i < (firstSample[t + 1] as number); i++) {
      const signal = signals[i] as number;
      if (isPlaced[signal] === 0) {
        isPlaced[signal] = 1;
        placed++;
        next[signal] = next[before] as number;
        next[before] = signal;
      }
      before = signal;
    }
  }
  const refs = new Uint32Array(placed);
  const placeOf = new Uint32Array(count);
  for (let signal = next[head] as number, place = 0; signal !== NONE; signal = next[signal] as number) {
    refs[place] = signal;
    placeOf[signal] = place++;
  }
  return { refs, placeOf };
}
