import { formatAlike, formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { ElectricityReport } from "../../../../services/query/reports/schema.ts";
import { scaled, ticksOf } from "./scale.ts";

const WIDTH = 760;
const HEIGHT = 280;
const LEFT = 56;
const BOTTOM = 44;

/** Two distributions over the same bins, as shares: of all readings, and of the anomalous ones among them. */
export function Histogram({ report }: { report: ElectricityReport }) {
  const { bins, total, signal, unit } = report;
  const shares = bins.map(({ all, anomalous }) => ({
    all: total.all.count === 0 ? 0 : all / total.all.count,
    anomalous: total.anomalous.count === 0 ? 0 : anomalous / total.anomalous.count,
  }));
  const highest = Math.max(0.01, ...shares.flatMap(({ all, anomalous }) => [all, anomalous]));
  const low = bins[0]?.from ?? 0;
  const high = bins.at(-1)?.to ?? 1;
  const x = scaled(low, high, LEFT, WIDTH - 8);
  const y = scaled(0, highest, HEIGHT - BOTTOM, 10);
  const xTicks = ticksOf(low, high, 7);
  const xWritten = formatAlike(xTicks);
  const yTicks = ticksOf(0, highest * 100, 4);
  return (
    <svg
      class="histogram"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`Distribution of ${signal}: all readings against anomalous ones`}
    >
      {yTicks.map((tick) => (
        <g key={tick}>
          <line class="grid-line" x1={LEFT} x2={WIDTH} y1={y(tick / 100)} y2={y(tick / 100)} />
          <text class="axis-text end" x={LEFT - 8} y={y(tick / 100) + 4}>
            {formatNumber(tick)} %
          </text>
        </g>
      ))}
      {bins.map((bin, index) => {
        const share = shares[index] ?? { all: 0, anomalous: 0 };
        const from = bins.length === 1 ? LEFT + (WIDTH - LEFT) * 0.35 : x(bin.from);
        const width = bins.length === 1 ? (WIDTH - LEFT) * 0.3 : Math.max(2, x(bin.to) - from - 2);
        const title = `${formatNumber(bin.from)} to ${formatNumber(bin.to)} ${unit}: ${formatNumber(bin.all)} readings, ${formatNumber(bin.anomalous)} anomalous`;
        return (
          <g key={bin.from}>
            <rect class="fill-all" x={from} width={width} y={y(share.all)} height={HEIGHT - BOTTOM - y(share.all)}>
              <title>{title}</title>
            </rect>
            <rect
              class="fill-anomalous"
              x={from + width * 0.25}
              width={width * 0.5}
              y={y(share.anomalous)}
              height={HEIGHT - BOTTOM - y(share.anomalous)}
            >
              <title>{title}</title>
            </rect>
          </g>
        );
      })}
      {xTicks.map((tick, index) => (
        <text key={tick} class="axis-text middle" x={x(tick)} y={HEIGHT - BOTTOM + 18}>
          {xWritten[index]}
        </text>
      ))}
      <text class="axis-text middle" x={(LEFT + WIDTH) / 2} y={HEIGHT - 6}>
        {`${signal}${unit === "" ? "" : `, ${unit}`}`}
      </text>
    </svg>
  );
}
