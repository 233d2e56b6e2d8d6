import { Type } from "@fastify/type-provider-typebox";
import type { JsonObject } from "../../../contract/event.ts";
import { Failure } from "../../http/failure.ts";
import { closed, Line, Lines, Maybe } from "./fields.ts";
import type { Kind } from "./kind.ts";

const THRESHOLDS_MAX = 50;

const Threshold = Type.Object(
  {
    signal: Line("name of the machine type's signal", 200),
    atLeast: Maybe(Type.Number({ description: "holds from here on" })),
    above: Maybe(Type.Number({ description: "holds above this" })),
    atMost: Maybe(Type.Number({ description: "holds up to here" })),
    below: Maybe(Type.Number({ description: "holds below this" })),
    unit: Maybe(Line("of the numbers", 20)),
  },
  closed,
);

/** When a machine of a type needs what maintenance: all thresholds together. */
export const CRITERION: Kind = {
  kind: "criterion",
  label: "Maintenance Criterion",
  writer: "technician",
  isNamed: true,
  data: Type.Object(
    {
      requirement: Line('as predictions name it; "none" when nothing is to be done', 200),
      description: Lines("when it holds, for people", 2_000),
      action: Lines("what is to be done", 2_000),
      machineType: Maybe(Line("typeName of the machines that it is for; null: of all", 200)),
      label: Maybe(Type.Integer({ minimum: 0, maximum: 1_000, description: "class of the model" })),
      thresholds: Type.Array(Threshold, { maxItems: THRESHOLDS_MAX }),
    },
    closed,
  ),
  references: () => [],
  subject: () => ({ factoryId: "", machineId: "" }),
  check: (data) => {
    for (const [index, threshold] of (data.thresholds as readonly JsonObject[]).entries())
      checkThreshold(threshold, index);
  },
};

function checkThreshold(threshold: JsonObject, index: number): void {
  const number = (name: string): number | undefined => {
    const value = threshold[name];
    return typeof value === "number" ? value : undefined;
  };
  const low = number("atLeast") ?? number("above");
  const high = number("atMost") ?? number("below");
  const where = `data.thresholds.${index}`;
  const isDouble = (one: string, other: string): boolean => number(one) !== undefined && number(other) !== undefined;
  if (isDouble("atLeast", "above") || isDouble("atMost", "below"))
    throw new Failure(400, "REQUEST_INVALID", `${where} has two limits on one side`);
  if (low === undefined && high === undefined) throw new Failure(400, "REQUEST_INVALID", `${where} has no limit`);
  if (low !== undefined && high !== undefined && low > high)
    throw new Failure(400, "REQUEST_INVALID", `${where} can never hold: ${low} to ${high}`);
}
