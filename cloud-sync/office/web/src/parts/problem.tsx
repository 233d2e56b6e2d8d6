import { sentenceOf } from "../data/api.ts";

/** What could not be read or done. */
export function Problem({ error }: { error: unknown }) {
  return (
    <p class="notice alarm" role="alert">
      {sentenceOf(error)}
    </p>
  );
}
