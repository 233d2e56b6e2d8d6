import { type Static, Type } from "@fastify/type-provider-typebox";

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const Scalar = Type.Union([Type.Number(), Type.String(), Type.Boolean(), Type.Null()]);
/** int64 and uint64 are decimal strings; "NaN", "Infinity" and "-Infinity" stand for what JSON can't say. */
export const Value = Type.Union([Scalar, Type.Array(Scalar)]);

export const SignalView = Type.Object({
  name: Type.String(),
  title: Type.String(),
  unit: Type.String(),
  key: Type.Boolean(),
  type: Nullable(Type.String()),
  intervalMs: Type.Number(),
  polled: Type.Boolean(),
  value: Value,
  statusCode: Nullable(Type.Integer({ description: "OPC UA status code; null before the first sample" })),
  receivedMs: Nullable(Type.Number()),
  sourceMs: Nullable(Type.Number()),
  goodValue: Value,
  goodMs: Nullable(Type.Number({ description: "when the newest usable value was received" })),
});
export type SignalView = Static<typeof SignalView>;

export const LinkView = Type.Object({
  state: Type.Union([
    Type.Literal("disconnected"),
    Type.Literal("connecting"),
    Type.Literal("connected"),
    Type.Literal("degraded"),
  ]),
  sinceMs: Type.Number(),
  reportedMs: Type.Number({ description: "when the connection last said anything" }),
});
export type LinkView = Static<typeof LinkView>;

const summary = {
  machineId: Type.String(),
  name: Type.String(),
  typeName: Type.String(),
  connectionId: Type.String(),
  state: Nullable(Type.String({ description: "running, idle, setup, fault, offline; null when nothing says it" })),
  stateSinceMs: Nullable(Type.Number()),
  updatedMs: Nullable(Type.Number({ description: "when the newest usable sample was received" })),
  good: Type.Integer(),
  uncertain: Type.Integer(),
  bad: Type.Integer(),
  waiting: Type.Integer({ description: "signals without any sample yet" }),
  link: Nullable(LinkView),
  lastGap: Nullable(
    Type.Object({
      samples: Type.Integer(),
      fromMs: Type.Number(),
      toMs: Type.Number(),
      cause: Type.String(),
      detail: Type.String(),
    }),
  ),
};
export const MachineSummary = Type.Object({ ...summary, keys: Type.Array(SignalView) });
export type MachineSummary = Static<typeof MachineSummary>;

export const MachineDetail = Type.Object({
  ...summary,
  keys: Type.Array(SignalView),
  offset: Type.Integer(),
  nowMs: Type.Number(),
  signals: Type.Array(SignalView),
});
export type MachineDetail = Static<typeof MachineDetail>;

export const Floor = Type.Object({
  site: Type.String(),
  epoch: Type.String(),
  offset: Type.Integer({ description: "position in the log; give it to /api/stream as `after`" }),
  nowMs: Type.Number(),
  machines: Type.Array(MachineSummary),
});
export type Floor = Static<typeof Floor>;

export const ConnectionView = Type.Object({
  connectionId: Type.String(),
  protocol: Type.String(),
  address: Type.String(),
  state: LinkView.properties.state,
  sinceMs: Type.Number(),
  reportedMs: Type.Number(),
  detail: Type.String(),
  hint: Nullable(Type.String()),
  machineIds: Type.Array(Type.String()),
  counters: Type.Record(Type.String(), Type.Number()),
  problems: Type.Array(
    Type.Object({
      machineId: Type.String(),
      signal: Type.String(),
      statusCode: Type.Integer(),
      message: Type.String(),
      hint: Type.String(),
    }),
  ),
});
export type ConnectionView = Static<typeof ConnectionView>;

export const Failure = Type.Object({
  error: Type.Object({ code: Type.String(), message: Type.String(), hint: Nullable(Type.String()) }),
});
