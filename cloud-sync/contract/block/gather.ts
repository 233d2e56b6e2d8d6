/** The elements at these places; loops, because TypedArray.from with a function takes ten times as long. */
export function gatherNumbers(from: Float64Array, places: Uint32Array): Float64Array {
  const result = new Float64Array(places.length);
  for (let i = 0; i < places.length; i++) result[i] = from[places[i] as number] as number;
  return result;
}

export function gatherWords(from: Uint32Array, places: Uint32Array): Uint32Array {
  const result = new Uint32Array(places.length);
  for (let i = 0; i < places.length; i++) result[i] = from[places[i] as number] as number;
  return result;
}

export function gatherBytes(from: Uint8Array, places: Uint32Array): Uint8Array {
  const result = new Uint8Array(places.length);
  for (let i = 0; i < places.length; i++) result[i] = from[places[i] as number] as number;
  return result;
}

/** The places of a group by its number, each ascending. */
export function placesByGroup(groups: Uint32Array, count: number): Uint32Array[] {
  const sizes = new Uint32Array(count);
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] as number;
    sizes[group] = (sizes[group] as number) + 1;
  }
  const places = Array.from(sizes, (size) => new Uint32Array(size));
  sizes.fill(0);
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] as number;
    const at = sizes[group] as number;
    sizes[group] = at + 1;
    (places[group] as Uint32Array)[at] = i;
  }
  return places;
}
