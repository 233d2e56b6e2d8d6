import { Type } from "@fastify/type-provider-typebox";
import { checkDay, closed, Day, Line, Maybe } from "./fields.ts";
import { type Kind, textOf } from "./kind.ts";

export const FACTORY: Kind = {
  kind: "factory",
  label: "Factory",
  writer: "administrator",
  isNamed: true,
  data: Type.Object(
    {
      name: Line("what people call it", 200),
      location: Type.Object(
        {
          city: Maybe(Line("for short", 200)),
          address: Maybe(Line("street, place, country", 500)),
          latitude: Maybe(
            Type.Number({ minimum: -90, maximum: 90, description: "degrees, north is positive (WGS 84)" }),
          ),
          longitude: Maybe(Type.Number({ minimum: -180, maximum: 180, description: "degrees, east is positive" })),
        },
        closed,
      ),
      inServiceSince: Maybe(Day("first day of production")),
    },
    closed,
  ),
  references: () => [],
  subject: (id) => ({ factoryId: id, machineId: "" }),
  check: (data) => checkDay(textOf(data, "inServiceSince") || null, "inServiceSince"),
};
