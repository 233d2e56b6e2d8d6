import { Type } from "@fastify/type-provider-typebox";
import { Failure } from "../../http/failure.ts";
import { checkDay, closed, Day, Id, Line, Maybe } from "./fields.ts";
import { type Kind, textOf } from "./kind.ts";

const SETTINGS_MAX = 32;

/** Settings of a model for this machine: thresholds that replace the model's own, whether it runs at all. */
const ModelSettings = Type.Record(
  Type.String({ pattern: "^[a-z][a-z0-9-]{0,63}$" }),
  Type.Record(
    Type.String({ pattern: "^[a-z][A-Za-z0-9]{0,63}$" }),
    Type.Union([Type.Number(), Type.Boolean(), Line("a word", 200)]),
    { ...closed, maxProperties: SETTINGS_MAX },
  ),
  { ...closed, maxProperties: SETTINGS_MAX, description: "by model, by setting" },
);

export const MACHINE: Kind = {
  kind: "machine",
  label: "Machine",
  writer: "technician",
  isNamed: true,
  data: Type.Object(
    {
      factoryId: Id("the factory where it stands"),
      name: Maybe(Line("what people call it", 200)),
      serialNumber: Maybe(Line("the maker's", 200)),
      typeName: Maybe(Line("machine type, as criteria name it", 200)),
      inServiceSince: Maybe(Day("first day of production")),
      lastMaintenanceOn: Maybe(Day("of the last maintenance")),
      modelSettings: Maybe(ModelSettings),
    },
    closed,
  ),
  references: (data) => [{ kind: "factory", id: textOf(data, "factoryId"), field: "factoryId" }],
  subject: (id, data) => ({ factoryId: textOf(data, "factoryId"), machineId: id }),
  check: (data, _before, today) => {
    const since = textOf(data, "inServiceSince");
    const last = textOf(data, "lastMaintenanceOn");
    checkDay(since || null, "inServiceSince");
    checkDay(last || null, "lastMaintenanceOn");
    if (last !== "" && last > today)
      throw new Failure(400, "REQUEST_INVALID", `data.lastMaintenanceOn is ${last}, which has not come yet`);
    if (last !== "" && since !== "" && last < since)
      throw new Failure(400, "REQUEST_INVALID", "data.lastMaintenanceOn is before data.inServiceSince");
  },
};
