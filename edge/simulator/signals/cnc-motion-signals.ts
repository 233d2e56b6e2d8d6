import { AXES_BY_KIND, type CncKind, type CncPhysics } from "../physics/cnc-physics.ts";
import type { SignalSpec } from "./signal.ts";

type Spec = SignalSpec<CncPhysics>;

const SPINDLE_SPEED_MAX = { mill: 12_000, lathe: 4_000 } as const;

/** What turns: speed, load, heat and shaking of the spindle. */
export function spindleSignals(kind: CncKind): Spec[] {
  const speed = { unit: "rpm", type: "float64", low: 0, high: SPINDLE_SPEED_MAX[kind], stepsPerUnit: 1 } as const;
  const share = { unit: "%", type: "float64", low: 0, high: 150, stepsPerUnit: 10 } as const;
  const warm = {
    unit: "°C",
    type: "float64",
    low: 0,
    high: 120,
    stepsPerUnit: 100,
    noise: 0.004,
    everyMs: 1000,
  } as const;
  const shake = { unit: "mm/s", type: "float64", low: 0, high: 20, stepsPerUnit: 1000, noise: 0.012 } as const;
  return [
    {
      name: "spindleSpeed",
      path: "Spindle.Speed",
      title: "Spindle speed",
      key: true,
      noiseShare: 0.00015,
      ...speed,
      read: (m) => m.spindle.speedRpm,
    },
    {
      name: "spindleLoad",
      path: "Spindle.Load",
      title: "Spindle load",
      key: true,
      noise: 0.15,
      ...share,
      read: (m) => m.spindle.loadPercent,
    },
    {
      name: "spindleTemperature",
      path: "Spindle.Temperature",
      title: "Spindle bearing temperature",
      key: true,
      ...warm,
      read: (m) => m.spindle.temperatureDegC,
    },
    {
      name: "spindleMotorTemperature",
      path: "Spindle.Motor.Temperature",
      title: "Spindle motor temperature",
      ...warm,
      read: (m) => m.spindle.motorTemperatureDegC,
    },
    {
      name: "spindleCurrent",
      path: "Spindle.Motor.Current",
      title: "Spindle motor current",
      unit: "A",
      type: "float32",
      low: 0,
      high: 90,
      stepsPerUnit: 10,
      noise: 0.1,
      read: (m) => 1.8 + 0.43 * m.spindle.loadPercent,
    },
    {
      name: "spindleRevolutions",
      path: "Spindle.Revolutions",
      title: "Spindle revolutions, lifetime",
      unit: "",
      type: "int64",
      isCounter: true,
      everyMs: 1000,
      read: (m) => BigInt(Math.floor(m.spindle.revolutions)),
    },
    {
      name: "vibrationX",
      path: "Spindle.Vibration.X.RMS",
      title: "Vibration X, RMS",
      key: true,
      ...shake,
      read: (m) => m.spindle.vibrationXMmPerS,
    },
    {
      name: "vibrationY",
      path: "Spindle.Vibration.Y.RMS",
      title: "Vibration Y, RMS",
      ...shake,
      read: (m) => m.spindle.vibrationYMmPerS,
    },
  ];
}

/** What moves: position and load of each feed axis, linear and rotary. */
export function axisSignals(kind: CncKind): Spec[] {
  return AXES_BY_KIND[kind].flatMap((axis): Spec[] => {
    const isRotary = axis === "A" || axis === "C";
    const reach = isRotary ? 120 : 500;
    return [
      {
        name: `axis${axis}Position`,
        path: `Axes.${axis}.Position`,
        title: `Axis ${axis} position`,
        unit: isRotary ? "°" : "mm",
        type: "float64",
        low: -reach,
        high: reach,
        stepsPerUnit: 1000,
        read: (m) => m.axes.axis(axis).position,
      },
      {
        name: `axis${axis}Load`,
        path: `Axes.${axis}.Load`,
        title: `Axis ${axis} load`,
        unit: "%",
        type: "float32",
        low: 0,
        high: 150,
        stepsPerUnit: 10,
        noise: 0.12,
        read: (m) => m.axes.axis(axis).loadPercent,
      },
    ];
  });
}
