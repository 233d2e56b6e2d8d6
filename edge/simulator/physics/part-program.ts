/** One operation of a part program: a tool, how it turns and moves, and how hard a sharp tool cuts there. */
export interface Operation {
  readonly tool: number;
  readonly spindleRpm: number;
  readonly feedMmPerMin: number;
  /** Spindle load of a sharp tool, % of rated, on top of turning in air. */
  readonly cutLoadPercent: number;
  readonly durationS: number;
  /** Largest share of the axes' travel that the path uses, 0..1. */
  readonly reach: number;
}

export interface PartProgram {
  readonly name: string;
  readonly batchParts: number;
  readonly operations: readonly [Operation, ...Operation[]];
}

function operation(
  tool: number,
  spindleRpm: number,
  feedMmPerMin: number,
  cutLoadPercent: number,
  durationS: number,
  reach: number,
): Operation {
  return { tool, spindleRpm, feedMmPerMin, cutLoadPercent, durationS, reach };
}

export const MILL_PROGRAMS: readonly [PartProgram, ...PartProgram[]] = [
  {
    name: "O1001 PUMP-HOUSING",
    batchParts: 24,
    operations: [
      operation(1, 4200, 1800, 46, 55, 0.7),
      operation(4, 6100, 2400, 31, 70, 0.55),
      operation(7, 2800, 420, 24, 38, 0.4),
      operation(9, 950, 180, 15, 26, 0.4),
      operation(12, 8600, 2900, 17, 48, 0.65),
    ],
  },
  {
    name: "O1027 VALVE-BLOCK",
    batchParts: 40,
    operations: [
      operation(2, 3600, 1500, 58, 62, 0.5),
      operation(5, 5200, 950, 34, 44, 0.45),
      operation(8, 3100, 380, 28, 33, 0.35),
      operation(11, 9200, 3100, 14, 36, 0.5),
    ],
  },
  {
    name: "O1105 BRACKET-L",
    batchParts: 60,
    operations: [
      operation(1, 5400, 2600, 39, 28, 0.6),
      operation(6, 7300, 2100, 22, 31, 0.5),
      operation(9, 1200, 240, 17, 19, 0.3),
    ],
  },
  {
    name: "O1240 MOULD-INSERT",
    batchParts: 4,
    operations: [
      operation(3, 3900, 1350, 52, 240, 0.45),
      operation(10, 8100, 2250, 26, 310, 0.4),
      operation(14, 11200, 1700, 11, 420, 0.4),
    ],
  },
];

export const LATHE_PROGRAMS: readonly [PartProgram, ...PartProgram[]] = [
  {
    name: "O2003 SHAFT-40",
    batchParts: 80,
    operations: [
      operation(1, 1450, 430, 55, 46, 0.75),
      operation(3, 2300, 260, 27, 39, 0.75),
      operation(5, 900, 1350, 33, 22, 0.35),
    ],
  },
  {
    name: "O2018 BUSHING-65",
    batchParts: 120,
    operations: [
      operation(2, 1900, 510, 44, 27, 0.35),
      operation(4, 1150, 170, 38, 24, 0.3),
      operation(6, 2700, 220, 18, 20, 0.35),
    ],
  },
  {
    name: "O2050 FLANGE-180",
    batchParts: 30,
    operations: [
      operation(1, 620, 190, 67, 88, 0.5),
      operation(4, 780, 150, 41, 52, 0.4),
      operation(7, 1050, 140, 23, 47, 0.5),
      operation(8, 480, 720, 19, 25, 0.3),
    ],
  },
];
