import { DataType, DataValue, StatusCodes, Variant, VariantArrayType } from "node-opcua";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until, watch } from "../../../test/contract/watch.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { opcuaConnection, opcuaDriver, opcuaMachine, opcuaSignal } from "./testing/harness.ts";
import { MILLS, OTHER, TestServer } from "./testing/opcua-server.ts";

const SOURCE_MS = Date.UTC(2026, 2, 3, 4, 5, 6, 789);
const SERVER_MS = Date.UTC(2026, 2, 3, 4, 5, 7, 12);
let server: TestServer;

const NODES: readonly (readonly [string, DataType, unknown, unknown])[] = [
  ["int64", DataType.Int64, [0xffdfffff, 0xfffffffd], -9_007_199_254_740_995n],
  ["uint64", DataType.UInt64, [0xffffffff, 0xfffffffe], 18_446_744_073_709_551_614n],
  ["date", DataType.DateTime, new Date(SOURCE_MS), SOURCE_MS],
  ["bytes", DataType.ByteString, Buffer.from("mill"), "bWlsbA=="],
  ["guid", DataType.Guid, "72962B91-FA75-4AE6-8D28-B404DC7DAF63", "72962B91-FA75-4AE6-8D28-B404DC7DAF63"],
  ["text", DataType.LocalizedText, { text: "läuft", locale: "de" }, "läuft"],
  ["nan", DataType.Double, Number.NaN, Number.NaN],
  ["infinite", DataType.Float, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
];

beforeAll(async () => {
  server = await new TestServer({
    values: new Map([["speed", 1_201]]),
    build(namespace) {
      const add = (name: string, dataType: DataType, variant: Variant, statusCode = StatusCodes.Good): void => {
        const node = namespace.addVariable({
          browseName: name,
          nodeId: `s=${name}`,
          organizedBy: "ObjectsFolder",
          minimumSamplingInterval: 50,
          dataType: DataType[dataType],
          valueRank:
            variant.arrayType === VariantArrayType.Scalar ? -1 : variant.arrayType === VariantArrayType.Array ? 1 : 2,
          ...(variant.dimensions ? { arrayDimensions: variant.dimensions } : {}),
          value: {
            timestamped_get: () =>
              new DataValue({
                value: variant,
                statusCode,
                sourceTimestamp: new Date(SOURCE_MS),
                sourcePicoseconds: 456_700_000,
                serverTimestamp: new Date(SERVER_MS),
              }),
          },
        });
        expect(node).toBeDefined();
      };
      for (const [name, dataType, value] of NODES)
        add(name, dataType, new Variant({ dataType, arrayType: VariantArrayType.Scalar, value }));
      const array = (values: number[]) =>
        new Variant({ dataType: DataType.Double, arrayType: VariantArrayType.Array, value: Float64Array.from(values) });
      add("axes", DataType.Double, array([11.5, 22.5, 33.5]));
      const dimensions = [2, 3];
      add(
        "matrix",
        DataType.Int32,
        new Variant({
          dataType: DataType.Int32,
          arrayType: VariantArrayType.Matrix,
          dimensions,
          value: Int32Array.from([1, 2, 3, 4, 5, 6]),
        }),
      );
      add(
        "uncertain",
        DataType.Double,
        new Variant({ dataType: DataType.Double, value: 3.25 }),
        StatusCodes.UncertainSensorNotAccurate,
      );
      add(
        "broken",
        DataType.Double,
        new Variant({ dataType: DataType.Double, value: 4.25 }),
        StatusCodes.BadSensorFailure,
      );
    },
  }).start();
});
afterAll(() => server[Symbol.asyncDispose]());

test("P19 every kind of value keeps its exact value, status, and source and server time", async () => {
  const at = (name: string) => ({ node: `nsu=${MILLS};s=${name}` });
  const expected = new Map<string, unknown>([
    ...NODES.map(([name, , , value]) => [name, value] as const),
    ["axes", [11.5, 22.5, 33.5]],
    ["axisY", 22.5],
    ["matrix", [1, 2, 3, 4, 5, 6]],
    ["uncertain", 3.25],
    ["scaled", 1_201 * 0.5 - 10],
    ["byPath", 1_201],
  ]);
  const signals = [
    ...[...NODES.map(([name]) => name), "axes", "matrix", "uncertain", "broken"].map((name) =>
      opcuaSignal(name, at(name)),
    ),
    opcuaSignal("axisY", { ...at("axes"), index: 1, type: "float64" }),
    opcuaSignal("axisMissing", { ...at("axes"), index: 9 }),
    opcuaSignal("mistyped", { ...at("axes"), type: "int32" }),
    opcuaSignal("scaled", { node: `nsu=${MILLS};s=Mill.speed`, scale: 0.5, offset: -10 }),
    opcuaSignal("byPath", { path: `/Objects/nsu=${MILLS}:Mill/nsu=${MILLS}:speed` }),
    opcuaSignal("noNamespace", { node: "nsu=urn:nowhere;s=x" }),
    opcuaSignal("noPath", { path: `/Objects/nsu=${OTHER}:Mill` }),
    opcuaSignal("noNode", { node: `nsu=${MILLS};s=absent` }),
  ];
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, [opcuaMachine(signals)]));
  await using seen = watch(driver);
  await until(
    () => signals.every((signal) => seen.latest(signal.name) !== undefined),
    5_000,
    "a sample of every signal",
  );
  for (const [name, value] of expected) expect(seen.latest(name)?.value, name).toEqual(value);
  expect(seen.latest("uncertain")?.statusCode).toBe(StatusCodes.UncertainSensorNotAccurate.value >>> 0);
  const statuses = {
    axisMissing: StatusCode.BadIndexRangeNoData,
    mistyped: StatusCode.BadTypeMismatch,
    noNamespace: StatusCode.BadNodeIdUnknown,
    noPath: StatusCode.BadNoMatch,
    noNode: StatusCode.BadNodeIdUnknown,
    broken: StatusCode.BadSensorFailure,
  };
  for (const [name, statusCode] of Object.entries(statuses))
    expect(seen.latest(name), name).toMatchObject({ value: null, statusCode });
  // A broken sensor is the machine's own word and no fault of the configuration.
  expect(
    driver
      .status()
      .problems.map((problem) => problem.signal)
      .sort(),
  ).toEqual(["axisMissing", "mistyped", "noNamespace", "noNode", "noPath"]);
  expect(seen.latest("int64")?.sourceTimestampMs).toBeCloseTo(SOURCE_MS + 0.4567, 3);
  expect(seen.latest("int64")?.serverTimestampMs).toBe(SERVER_MS);
});
