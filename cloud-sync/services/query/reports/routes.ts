import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyReply } from "fastify";
import type { QueryContext } from "../query-context.ts";
import { busy, invalid } from "../refusals.ts";
import { failures, Id, oneOf, Query, span, where } from "../schemas.ts";
import { readClasses } from "./read-classes.ts";
import { readElectricity } from "./read-electricity.ts";
import { ClassReport, ElectricityReport } from "./schema.ts";
import { classesTable, distributionTable, electricityTable, pointsTable } from "./tables.ts";

const DAY_MS = 86_400_000;
const DAYS_MAX = 31;
/** Reports that are made at the same time; each reads much. */
const REPORTS_MAX = 2;

const signal = (name: string) =>
  Type.String({ minLength: 1, maxLength: 512, default: name, description: "name of the signal" });
const electricity = {
  ...where,
  ...span,
  signal: signal("electricityUtilization"),
  by: oneOf(["factory", "machine"], { default: "factory" }),
};
const classes = {
  ...where,
  ...span,
  x: signal("machineTemperature"),
  y: signal("machinePressure"),
  model: Type.Optional(Id("only what this model said")),
};
const csv = { 200: Type.String({ description: "text/csv, RFC 4180" }), ...failures };

/** The lab's two questions, as JSON for the page and as CSV for whoever wants to go on with them. */
export function reportRoutes({ sql, clock }: QueryContext): FastifyPluginAsyncTypebox {
  let running = 0;
  async function limited<T>(work: () => Promise<T>): Promise<T> {
    if (running >= REPORTS_MAX) throw busy(`${REPORTS_MAX} reports are being made already`);
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
    }
  }
  function spanned<Q extends { fromMs?: number; toMs?: number }>(query: Q): Q & { fromMs: number; toMs: number } {
    const toMs = query.toMs ?? clock.nowMs() + 1;
    const fromMs = query.fromMs ?? Math.max(0, toMs - DAY_MS);
    if (fromMs >= toMs) throw invalid("fromMs must be before toMs");
    if (toMs - fromMs > DAYS_MAX * DAY_MS) throw invalid(`a report spans ${DAYS_MAX} days at most`);
    return { ...query, fromMs, toMs };
  }
  return async (app) => {
    app.get(
      "/api/query/reports/electricity",
      {
        schema: {
          summary: "Electricity utilization of anomalous readings against all readings",
          querystring: Query(electricity),
          response: { 200: ElectricityReport, ...failures },
        },
      },
      (request) => limited(() => readElectricity(sql, spanned(request.query))),
    );
    app.get(
      "/api/query/reports/electricity.csv",
      {
        schema: {
          summary: "The same as CSV",
          querystring: Query({ ...electricity, table: oneOf(["groups", "distribution"], { default: "groups" }) }),
          response: csv,
        },
      },
      async (request, reply) => {
        const { table, ...query } = request.query;
        const report = await limited(() => readElectricity(sql, spanned(query)));
        return download(
          reply,
          `electricity-${table}`,
          table === "groups" ? electricityTable(report) : distributionTable(report),
        );
      },
    );
    app.get(
      "/api/query/reports/classes",
      {
        schema: {
          summary: "Temperature against pressure by maintenance class",
          querystring: Query(classes),
          response: { 200: ClassReport, ...failures },
        },
      },
      (request) => limited(() => readClasses(sql, spanned(request.query))),
    );
    app.get(
      "/api/query/reports/classes.csv",
      {
        schema: {
          summary: "The same as CSV",
          querystring: Query({ ...classes, table: oneOf(["classes", "points"], { default: "classes" }) }),
          response: csv,
        },
      },
      async (request, reply) => {
        const { table, ...query } = request.query;
        const report = await limited(() => readClasses(sql, spanned(query)));
        return download(
          reply,
          `maintenance-${table}`,
          table === "classes" ? classesTable(report) : pointsTable(report),
        );
      },
    );
  };
}

/** As bytes: a text would go through the serializer of JSON. */
function download(reply: FastifyReply, name: string, text: string): FastifyReply {
  return reply
    .type("text/csv; charset=utf-8; header=present")
    .header("content-disposition", `attachment; filename="${name}.csv"`)
    .send(Buffer.from(text));
}
