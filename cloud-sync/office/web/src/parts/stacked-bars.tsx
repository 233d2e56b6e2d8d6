import { formatAlike, formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import { scaled, ticksOf } from "./scale.ts";

const WIDTH = 1_100;
const HEIGHT = 260;
const LEFT = 56;
const BOTTOM = 26;
const LABELS_MAX = 12;

export interface BarColumn {
  readonly key: string;
  readonly title: string;
  /** In the order of the parts. */
  readonly values: readonly number[];
}

/** Columns of stacked parts; the table beside it says the same in numbers. */
export function StackedBars({ columns, parts }: { columns: readonly BarColumn[]; parts: readonly string[] }) {
  const highest = Math.max(1, ...columns.map(({ values }) => values.reduce((sum, value) => sum + value, 0)));
  const y = scaled(0, highest, HEIGHT - BOTTOM, 12);
  const ticks = ticksOf(0, highest, 4);
  const written = formatAlike(ticks);
  const step = (WIDTH - LEFT) / Math.max(1, columns.length);
  const width = Math.max(1, Math.min(48, step * 0.8));
  const every = Math.ceil(columns.length / LABELS_MAX);
  return (
    <svg class="bars" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Columns of ${parts.join(", ")}`}>
      {ticks.map((tick, index) => (
        <g key={tick}>
          <line class="grid-line" x1={LEFT} x2={WIDTH} y1={y(tick)} y2={y(tick)} />
          <text class="axis-text end" x={LEFT - 8} y={y(tick) + 4}>
            {written[index]}
          </text>
        </g>
      ))}
      {columns.map(({ key, title, values }, column) => {
        const middle = LEFT + step * (column + 0.5);
        let sum = 0;
        return (
          <g key={key}>
            {values.map((value, part) => {
              if (value === 0) return null;
              const from = y(sum);
              sum += value;
              const to = y(sum);
              return (
                <rect
                  key={parts[part]}
                  class={`fill-${part % 8}`}
                  x={middle - width / 2}
                  width={width}
                  y={to}
                  height={Math.max(0.5, from - to)}
                >
                  <title>{`${title}: ${parts[part]} ${formatNumber(value)}`}</title>
                </rect>
              );
            })}
            {column % every === 0 && (
              <text class="axis-text middle" x={middle} y={HEIGHT - 8}>
                {title}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}

export function Legend({ parts }: { parts: readonly string[] }) {
  return (
    <ul class="parts">
      {parts.map((part, index) => (
        <li key={part}>
          <svg width="14" height="14" aria-hidden="true">
            <rect class={`fill-${index % 8}`} width="14" height="14" />
          </svg>
          {part}
        </li>
      ))}
    </ul>
  );
}
