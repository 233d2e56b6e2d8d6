import { formatAlike, formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { ClassReport } from "../../../../services/query/reports/schema.ts";
import { requirementWord } from "./need.tsx";
import { scaled, ticksOf } from "./scale.ts";

const WIDTH = 760;
const HEIGHT = 460;
const LEFT = 64;
const BOTTOM = 44;
const TOP = 24;
const SIZE = 4;
/** Each class has a shape as well as a colour: also told apart in print and by who sees no colours. */
const SHAPES = ["circle", "square", "up", "down", "diamond", "cross", "bar", "plus"] as const;

/** Where in x and y each class lies; the points are those of the answer, a bounded sample. */
export function Scatter({ report }: { report: ClassReport }) {
  const { classes, bounds, x: xAbout, y: yAbout } = report;
  if (bounds === null) return null;
  const padX = (bounds.xMax - bounds.xMin || 1) * 0.03;
  const padY = (bounds.yMax - bounds.yMin || 1) * 0.03;
  const x = scaled(bounds.xMin - padX, bounds.xMax + padX, LEFT, WIDTH - 8);
  const y = scaled(bounds.yMin - padY, bounds.yMax + padY, HEIGHT - BOTTOM, TOP);
  const xTicks = ticksOf(bounds.xMin, bounds.xMax, 7);
  const yTicks = ticksOf(bounds.yMin, bounds.yMax, 6);
  const [xWritten, yWritten] = [formatAlike(xTicks), formatAlike(yTicks)];
  const title = (about: ClassReport["x"]): string =>
    about.unit === "" ? about.signal : `${about.signal}, ${about.unit}`;
  return (
    <svg
      class="scatter"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`${xAbout.signal} against ${yAbout.signal} by maintenance class`}
    >
      {yTicks.map((tick, index) => (
        <g key={tick}>
          <line class="grid-line" x1={LEFT} x2={WIDTH} y1={y(tick)} y2={y(tick)} />
          <text class="axis-text end" x={LEFT - 8} y={y(tick) + 4}>
            {yWritten[index]}
          </text>
        </g>
      ))}
      {xTicks.map((tick, index) => (
        <g key={tick}>
          <line class="grid-line" x1={x(tick)} x2={x(tick)} y1={TOP} y2={HEIGHT - BOTTOM} />
          <text class="axis-text middle" x={x(tick)} y={HEIGHT - BOTTOM + 18}>
            {xWritten[index]}
          </text>
        </g>
      ))}
      {classes.map(({ requirement, points }, index) => (
        <path
          key={requirement}
          class={`fill-${index % 8} points`}
          d={points.map(([px, py]) => shapeAt(index, x(px), y(py))).join("")}
        >
          <title>{`${requirementWord(requirement)}: ${formatNumber(points.length)} points`}</title>
        </path>
      ))}
      <text class="axis-text middle" x={(LEFT + WIDTH) / 2} y={HEIGHT - 6}>
        {title(xAbout)}
      </text>
      <text class="axis-text" x="4" y={13}>
        {title(yAbout)}
      </text>
    </svg>
  );
}

export function ShapeKey({ index }: { index: number }) {
  return (
    <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
      <path class={`fill-${index % 8}`} d={shapeAt(index, 7, 7, 6)} />
    </svg>
  );
}

function shapeAt(index: number, cx: number, cy: number, size = SIZE): string {
  const at = (dx: number, dy: number): string => `${(cx + dx * size).toFixed(1)} ${(cy + dy * size).toFixed(1)}`;
  const polygon = (...corners: readonly (readonly [number, number])[]): string =>
    `M${corners.map(([dx, dy]) => at(dx, dy)).join("L")}Z`;
  switch (SHAPES[index % SHAPES.length]) {
    case "square":
      return polygon([-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]);
    case "up":
      return polygon([0, -1], [1, 0.8], [-1, 0.8]);
    case "down":
      return polygon([0, 1], [1, -0.8], [-1, -0.8]);
    case "diamond":
      return polygon([0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]);
    case "cross":
      return polygon([-1, -0.6], [-0.6, -1], [1, 0.6], [0.6, 1]) + polygon([1, -0.6], [0.6, -1], [-1, 0.6], [-0.6, 1]);
    case "bar":
      return polygon([-1, -0.35], [1, -0.35], [1, 0.35], [-1, 0.35]);
    case "plus":
      return polygon([-1, -0.3], [1, -0.3], [1, 0.3], [-1, 0.3]) + polygon([-0.3, -1], [0.3, -1], [0.3, 1], [-0.3, 1]);
    default:
      return `M${at(-0.9, 0)}a${0.9 * size} ${0.9 * size} 0 1 0 ${1.8 * size} 0a${0.9 * size} ${0.9 * size} 0 1 0 ${-1.8 * size} 0Z`;
  }
}
