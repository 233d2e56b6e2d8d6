import { type Static, Type } from "@fastify/type-provider-typebox";

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const Lane = Type.Object({
  backlogEvents: Type.Integer({ description: "events that wait for the hub" }),
  lagMs: Type.Number({ description: "age of the oldest event that waits" }),
  eventsPerSecond: Type.Number(),
  bytesPerSecond: Type.Number(),
  drainMs: Nullable(Type.Number({ description: "until nothing waits, at the present rate" })),
  total: Type.Optional(
    Type.Object(
      { events: Type.Integer(), messages: Type.Integer(), units: Type.Integer(), bytes: Type.Integer() },
      { description: "acknowledged since the uplink began" },
    ),
  ),
});

export const UplinkView = Type.Object({
  condition: Type.Union([
    Type.Literal("sending"),
    Type.Literal("catching-up"),
    Type.Literal("falling-behind"),
    Type.Literal("connecting"),
    Type.Literal("cut"),
    Type.Literal("refused"),
    Type.Literal("quota"),
    Type.Literal("stopped"),
    Type.Literal("silent"),
  ]),
  level: Type.Union([Type.Literal("calm"), Type.Literal("warn"), Type.Literal("alarm")]),
  updatedMs: Type.Number({ description: "when the uplink last said anything" }),
  sinceMs: Type.Number(),
  hub: Type.String(),
  lastError: Nullable(
    Type.Object({ code: Type.String(), message: Type.String(), hint: Type.String(), atMs: Type.Number() }),
  ),
  lastAckMs: Nullable(Type.Number()),
  lanes: Type.Object({ priority: Lane, telemetry: Lane }),
  inFlight: Type.Integer({ description: "messages sent and not acknowledged yet" }),
  bytesPerSecondMax: Nullable(Type.Number()),
  gatherMs: Type.Number({ description: "how long live events are gathered into one message now" }),
  today: Type.Object({
    messages: Type.Integer(),
    units: Type.Integer({ description: "of 4 KB, by which IoT Hub meters" }),
    bytes: Type.Integer(),
    unitsMax: Nullable(Type.Integer()),
  }),
  deadLetters: Type.Integer(),
  waiting: Type.Object(
    { events: Type.Integer(), readings: Type.Integer() },
    { description: "in the log, not acknowledged by the hub" },
  ),
  room: Type.Object({
    usedBytes: Type.Number(),
    limitBytes: Type.Number(),
    readingsPerSecond: Type.Number(),
    timeToFullMs: Nullable(
      Type.Number({ description: "without a line, until readings are thinned or go by age; null: nothing comes in" }),
    ),
  }),
});
export type UplinkView = Static<typeof UplinkView>;

export const Uplink = Type.Object({
  configured: Type.Boolean({ description: "whether this box has an uplink" }),
  uplink: Nullable(UplinkView),
});
export type Uplink = Static<typeof Uplink>;
