/** Probabilities of one row's logits, divided by the temperature that calibrates them. */
export function softmax(logits: Float32Array, temperature: number): Float64Array {
  const probabilities = Float64Array.from(logits, (logit) => logit / temperature);
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of probabilities) largest = Math.max(largest, logit);
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const weight = Math.exp((probabilities[i] as number) - largest);
    probabilities[i] = weight;
    sum += weight;
  }
  return probabilities.map((weight) => weight / sum);
}

/** Index of the largest; the first of several. */
export function largestAt(values: ArrayLike<number>): number {
  let at = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[at] as number)) at = i;
  return at;
}
