import { expect, test } from "vitest";
import { EdgeError } from "../kernel/errors.ts";
import { StatusCode } from "../kernel/status-code.ts";
import type { TruthLine } from "./fault.ts";
import { Plant, type PlantOptions } from "./plant.ts";

const START_MS = Date.UTC(2026, 0, 5, 6);

function plantAt(options: Partial<PlantOptions> = {}): Plant {
  return new Plant({ seed: 11, startMs: START_MS, ...options });
}

/** Steps a plant and gives the time that it has reached. */
function run(plant: Plant, fromMs: number, durationMs: number, stepMs = 500): number {
  let nowMs = fromMs;
  while (nowMs < fromMs + durationMs) {
    nowMs += stepMs;
    plant.step(stepMs, nowMs);
  }
  return nowMs;
}

/** Every value with its type, status and time, as bytes to compare. */
function bytesOf(plant: Plant): string {
  return plant.machines
    .flatMap(({ id, signals }) =>
      signals.map((s) => `${id} ${s.description.name} ${typeof s.value} ${s.value} ${s.statusCode} ${s.changedMs}`),
    )
    .join("\n");
}

function number(plant: Plant, machineId: string, name: string): number {
  return Number(plant.machine(machineId).signal(name).value);
}

test("the same seed and the same steps give the same bytes, faults included", () => {
  const history = (seed: number): string => {
    const plant = plantAt({ seed });
    const pages: string[] = [];
    let nowMs = START_MS;
    for (let minute = 0; minute < 15; minute++) {
      if (minute === 2) plant.faults.inject({ kind: "spike", machineId: "mill-02", durationMs: 3000 }, nowMs);
      if (minute === 4)
        plant.faults.inject({ kind: "bearing-wear", machineId: "lathe-01", durationMs: 400_000 }, nowMs);
      nowMs = run(plant, nowMs, 60_000);
      pages.push(bytesOf(plant));
    }
    return pages.join("\n");
  };
  const first = history(11);
  expect(history(11)).toBe(first);
  expect(history(12)).not.toBe(first);
});

test("a machine more does not change the others' programs and wear", () => {
  const small = plantAt({ mills: 2 });
  const large = plantAt({ mills: 6 });
  run(small, START_MS, 120_000);
  run(large, START_MS, 120_000);
  for (const name of ["programName", "partCount", "toolWear", "blockNumber"]) {
    expect(large.machine("mill-02").signal(name).value).toBe(small.machine("mill-02").signal(name).value);
  }
});

test("the standard factory has eight CNC machines of some forty signals, four presses and a compressor", () => {
  const plant = plantAt();
  const counts = Map.groupBy(plant.machines, ({ type }) => type);
  expect(Object.fromEntries([...counts].map(([type, machines]) => [type, machines.length]))).toEqual({
    "cnc-mill": 5,
    "cnc-lathe": 3,
    press: 4,
    compressor: 1,
  });
  for (const { type, signals } of plant.machines) {
    const names = signals.map(({ description }) => description.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("state");
    if (type === "cnc-mill" || type === "cnc-lathe") expect(names.length).toBeGreaterThanOrEqual(40);
    const keys = signals.filter(({ description }) => description.key === true).length;
    expect(keys).toBeGreaterThanOrEqual(4);
    expect(keys).toBeLessThanOrEqual(7);
  }
});

test("values are quantised as their sensors show them, and slow quantities move slowly", () => {
  const plant = plantAt();
  const mill = plant.machine("mill-01");
  const temperature = mill.signal("spindleTemperature");
  let nowMs = START_MS;
  let largestJump = 0;
  let changes = 0;
  for (let second = 0; second < 900; second++) {
    const before = Number(temperature.value);
    nowMs += 1000;
    plant.step(1000, nowMs);
    const jump = Math.abs(Number(temperature.value) - before);
    largestJump = Math.max(largestJump, jump);
    if (jump > 0) changes++;
    expect(Number(temperature.value)).toBe(Math.round(Number(temperature.value) * 100) / 100);
  }
  expect(changes).toBeGreaterThan(50);
  expect(largestJump).toBeLessThan(0.12);
});

test("cutting warms the spindle, standing cools it", () => {
  const plant = plantAt();
  let nowMs = START_MS;
  const warming: number[] = [];
  const cooling: number[] = [];
  for (let window = 0; window < 240; window++) {
    const before = number(plant, "mill-03", "spindleTemperature");
    let loadSum = 0;
    for (let second = 0; second < 30; second++) {
      nowMs += 1000;
      plant.step(1000, nowMs);
      loadSum += number(plant, "mill-03", "spindleLoad");
    }
    const rise = number(plant, "mill-03", "spindleTemperature") - before;
    if (loadSum / 30 > 30) warming.push(rise);
    if (loadSum / 30 < 1) cooling.push(rise);
  }
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(warming.length).toBeGreaterThan(10);
  expect(cooling.length).toBeGreaterThan(5);
  expect(mean(warming)).toBeGreaterThan(0.02);
  expect(mean(cooling)).toBeLessThan(-0.05);
});

test("a running press lies where the lab's sensor does", () => {
  const plant = plantAt();
  const pressures: number[] = [];
  const temperatures: number[] = [];
  const electricity: number[] = [];
  let nowMs = START_MS;
  for (let step = 0; step < 6 * 360; step++) {
    nowMs += 10_000;
    plant.step(10_000, nowMs);
    for (const id of ["press-01", "press-02", "press-03", "press-04"]) {
      if (plant.machine(id).physics.state !== "running") continue;
      pressures.push(number(plant, id, "machinePressure"));
      temperatures.push(number(plant, id, "machineTemperature"));
      electricity.push(number(plant, id, "electricityUtilization"));
    }
  }
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = (values: readonly number[]): number =>
    Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
  expect(Math.abs(mean(pressures) - 7539)).toBeLessThan(12);
  expect(spread(pressures)).toBeGreaterThan(9);
  expect(spread(pressures)).toBeLessThan(22);
  expect(Math.abs(mean(temperatures) - 55)).toBeLessThan(2.4);
  expect(Math.abs(mean(electricity) - 29.36)).toBeLessThan(1.2);
});

test("a long step is cut into pieces: an hour at once moves the meters by an hour and stays finite", () => {
  const plant = plantAt();
  const before = Number(plant.machine("mill-01").signal("powerOnTime").value);
  plant.step(3_600_000, START_MS + 3_600_000);
  expect(Number(plant.machine("mill-01").signal("powerOnTime").value) - before).toBeCloseTo(3600, -1);
  for (const { signals } of plant.machines) {
    for (const { value } of signals) if (typeof value === "number") expect(Number.isFinite(value)).toBe(true);
  }
});

test("spike, dip and shift change one signal for their time and nothing else", () => {
  const factors = { spike: 1.8, dip: 0.6 } as const;
  for (const kind of ["spike", "dip", "shift"] as const) {
    const plant = plantAt();
    const pressure = plant.machine("press-02").signal("machinePressure");
    const other = plant.machine("press-02").signal("electricityUtilization");
    const before = Number(pressure.value);
    const otherBefore = other.value;
    plant.faults.inject({ kind, machineId: "press-02", durationMs: 5000 }, START_MS);
    const expected = kind === "shift" ? before + 100 : before * factors[kind];
    expect(Math.abs(Number(pressure.value) - expected)).toBeLessThan(25);
    expect(other.value).toBe(otherBefore);
    run(plant, START_MS, 5000);
    expect(Math.abs(Number(pressure.value) - before)).toBeLessThan(60);
    expect(plant.faults.active).toEqual([]);
  }
});

test("a stuck sensor keeps its value and stays Good; a lost one is Bad until it is back", () => {
  const plant = plantAt();
  const load = plant.machine("mill-01").signal("spindleLoad");
  const vibration = plant.machine("mill-01").signal("vibrationX");
  plant.faults.inject({ kind: "stuck", machineId: "mill-01", durationMs: 60_000 }, START_MS);
  plant.faults.inject({ kind: "lost", machineId: "mill-01", signal: "vibrationX", durationMs: 60_000 }, START_MS);
  const frozen = load.value;
  const version = load.version;
  const nowMs = run(plant, START_MS, 50_000);
  expect(load.value).toBe(frozen);
  expect(load.version).toBe(version);
  expect(load.statusCode).toBe(StatusCode.Good);
  expect(vibration.statusCode).toBe(StatusCode.BadSensorFailure);
  run(plant, nowMs, 15_000);
  expect(load.version).toBeGreaterThan(version);
  expect(vibration.statusCode).toBe(StatusCode.Good);
});

test("bearing wear grows slowly, shakes and heats the spindle, and ends with a new bearing", () => {
  const worn = plantAt();
  const sound = plantAt();
  worn.faults.inject({ kind: "bearing-wear", machineId: "mill-01", durationMs: 3_600_000 }, START_MS);
  const compare = (fromMs: number, durationMs: number) => {
    const sums = { vibrationX: [0, 0], spindleTemperature: [0, 0] } as Record<string, [number, number]>;
    let nowMs = fromMs;
    while (nowMs < fromMs + durationMs) {
      nowMs += 5000;
      for (const [index, plant] of [sound, worn].entries()) {
        plant.step(5000, nowMs);
        for (const [name, sum] of Object.entries(sums)) sum[index as 0 | 1] += number(plant, "mill-01", name);
      }
    }
    const ratio = (name: string): number => (sums[name]?.[1] ?? 0) / (sums[name]?.[0] ?? 1);
    return { nowMs, vibration: ratio("vibrationX"), temperature: ratio("spindleTemperature") };
  };
  const early = compare(START_MS, 600_000);
  const middle = compare(early.nowMs, 2_100_000);
  const late = compare(middle.nowMs, 800_000);
  expect(early.vibration).toBeLessThan(1.35);
  expect(late.vibration).toBeGreaterThan(2.5);
  expect(late.temperature).toBeGreaterThan(1.08);
  const after = compare(late.nowMs + 200_000, 3_600_000);
  expect(worn.faults.active).toEqual([]);
  expect(after.vibration).toBeLessThan(1.3);
});

test("tool wear ends in a broken tool: load rises, the machine stops with its alarm, then works on", () => {
  const plant = plantAt();
  const mill = plant.machine("mill-01");
  const wearBefore = number(plant, "mill-01", "toolWear");
  plant.faults.inject({ kind: "tool-wear", machineId: "mill-01", durationMs: 240_000 }, START_MS);
  let nowMs = run(plant, START_MS, 220_000);
  expect(number(plant, "mill-01", "toolWear")).toBeGreaterThan(Math.max(85, wearBefore));
  let broke = false;
  for (let second = 0; second < 900 && !broke; second++) {
    nowMs = run(plant, nowMs, 1000);
    broke = mill.signal("state").value === "fault";
  }
  expect(broke).toBe(true);
  expect(number(plant, "mill-01", "alarms") & 0x10).toBe(0x10);
  expect(mill.signal("alarmActive").value).toBe(true);
  nowMs = run(plant, nowMs, 400_000);
  expect(mill.signal("state").value).not.toBe("fault");
  expect(number(plant, "mill-01", "alarms") & 0x10).toBe(0);
});

test("a coolant leak empties the tank, starves the pump, stops the machine, and ends with a full tank", () => {
  const plant = plantAt();
  const levelBefore = number(plant, "lathe-01", "coolantLevel");
  plant.faults.inject({ kind: "coolant-leak", machineId: "lathe-01", durationMs: 600_000 }, START_MS);
  let nowMs = run(plant, START_MS, 300_000);
  expect(number(plant, "lathe-01", "coolantLevel")).toBeLessThan(levelBefore * 0.55);
  nowMs = run(plant, nowMs, 280_000);
  expect(number(plant, "lathe-01", "coolantLevel")).toBeLessThan(8);
  expect(number(plant, "lathe-01", "alarms") & 0x01).toBe(0x01);
  let stopped = false;
  for (let second = 0; second < 60 && !stopped; second++) {
    stopped = plant.machine("lathe-01").physics.state === "fault";
    nowMs = run(plant, nowMs, 1000);
  }
  expect(stopped).toBe(true);
  run(plant, nowMs, 25_000);
  expect(plant.faults.active).toEqual([]);
  expect(number(plant, "lathe-01", "coolantLevel")).toBeGreaterThan(90);
});

test("the truth is told at both ends of every fault, with site, signals and true end", () => {
  const plant = plantAt();
  const truth: TruthLine[] = [];
  plant.faults.onTruth = (line) => truth.push(line);
  plant.faults.inject(
    { kind: "shift", machineId: "redmond/press-03", signal: "machineTemperature", durationMs: 4000, magnitude: 0.2 },
    START_MS,
  );
  const leak = plant.faults.inject({ kind: "coolant-leak", machineId: "mill-04", durationMs: 900_000 }, START_MS + 500);
  run(plant, START_MS, 6000);
  plant.faults.end(leak.id, START_MS + 7000);
  expect(
    truth.map(({ at, fault, machineId, startMs, endMs }) => [
      at,
      fault,
      machineId,
      startMs - START_MS,
      endMs - START_MS,
    ]),
  ).toEqual([
    ["start", "shift", "redmond/press-03", 0, 4000],
    ["start", "coolant-leak", "redmond/mill-04", 500, 900_500],
    ["end", "shift", "redmond/press-03", 0, 4000],
    ["end", "coolant-leak", "redmond/mill-04", 500, 7000],
  ]);
  expect(truth[0]?.signals).toEqual(["machineTemperature"]);
  expect(truth[0]?.params).toEqual({ durationMs: 4000, magnitude: 0.2 });
  expect(truth[1]?.signals).toContain("coolantLevel");
});

test("a fault that can't be is refused with the reason and what would do", () => {
  const plant = plantAt();
  const refusals: [Parameters<typeof plant.faults.inject>[0], RegExp, RegExp][] = [
    [{ kind: "spike", machineId: "mill-77", durationMs: 1000 }, /no machine "mill-77"/, /mill-01/],
    [{ kind: "spike", machineId: "mill-01", signal: "smell", durationMs: 1000 }, /no signal "smell"/, /spindleSpeed/],
    [{ kind: "dip", machineId: "mill-01", signal: "state", durationMs: 1000 }, /no measured number/, /stuck or lost/],
    [
      { kind: "shift", machineId: "press-01", signal: "strokes", durationMs: 1000 },
      /no measured number/,
      /stuck or lost/,
    ],
    [{ kind: "coolant-leak", machineId: "press-01", durationMs: 1000 }, /can't have "coolant-leak"/, /tool-wear/],
  ];
  for (const bad of [{ durationMs: 0 }, { durationMs: Number.NaN }, { durationMs: 1000, magnitude: 1.5 }]) {
    expect(() => plant.faults.inject({ kind: "bearing-wear", machineId: "mill-01", ...bad }, START_MS)).toThrow(
      /expected/,
    );
  }
  for (const [request, message, hint] of refusals) {
    let refused: unknown;
    try {
      plant.faults.inject(request, START_MS);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(EdgeError);
    expect((refused as EdgeError).message).toMatch(message);
    expect((refused as EdgeError).hint).toMatch(hint);
  }
  expect(plant.faults.active).toEqual([]);
});
