import { Segments } from "./filters.tsx";

const HOUR_MS = 3_600_000;
export const SPANS = [
  ["1", "1 h"],
  ["8", "8 h"],
  ["24", "24 h"],
  ["168", "7 d"],
  ["720", "30 d"],
  ["8760", "1 y"],
] as const;
export type SpanHours = (typeof SPANS)[number][0];

interface SpanPickerProps {
  readonly hours: SpanHours;
  /** null: now. */
  readonly endMs: number | null;
  readonly onHours: (hours: SpanHours) => void;
  readonly onEnd: (endMs: number | null) => void;
}

/** How much of the past, and up to when. */
export function SpanPicker({ hours, endMs, onHours, onEnd }: SpanPickerProps) {
  const shift = (direction: -1 | 1): void => {
    const next = (endMs ?? Date.now()) + (direction * Number(hours) * HOUR_MS) / 2;
    onEnd(next >= Date.now() ? null : next);
  };
  return (
    <>
      <Segments label="Span" value={hours} choices={SPANS} onChange={onHours} />
      <fieldset class="segments" aria-label="Position">
        <button type="button" aria-label="Earlier" onClick={() => shift(-1)}>
          ‹
        </button>
        <button type="button" aria-label="Later" disabled={endMs === null} onClick={() => shift(1)}>
          ›
        </button>
        <button type="button" aria-pressed={endMs === null} onClick={() => onEnd(null)}>
          Now
        </button>
      </fieldset>
    </>
  );
}

export function spanOf(text: string | null, otherwise: SpanHours = "24"): SpanHours {
  return SPANS.find(([each]) => each === text)?.[0] ?? otherwise;
}
